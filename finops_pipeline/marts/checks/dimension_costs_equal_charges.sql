-- dimension_costs_equal_charges: dimensions, projects and months whose dimension_costs are not the
--   sum of their charges.
-- reads: costs, dimensions, dimension_costs
-- rows only from: dimensions; dimension_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost
    from costs
    group by all
),

-- every dimension has all charges
expected as (
    select dimensions.dimension, charged.*
    from charged
    cross join dimensions
),

summed as (
    select
        dimension,
        project,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from dimension_costs
    group by all
),

final as (
    select
        dimension,
        project,
        billing_period,
        billing_currency,
        expected.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        expected.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        expected.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        expected.list_cost as list_by_charges,
        summed.list_cost as list_by_mart,
        expected.contracted_cost as contracted_by_charges,
        summed.contracted_cost as contracted_by_mart
    from expected
    full join summed using (dimension, project, billing_period, billing_currency)
    where expected.charges is distinct from summed.charges
        or expected.billed_cost is distinct from summed.billed_cost
        or expected.effective_cost is distinct from summed.effective_cost
        or expected.list_cost is distinct from summed.list_cost
        or expected.contracted_cost is distinct from summed.contracted_cost
)

select * from final
