-- split_costs_equal_charges: projects and months whose split costs differ from those of the
--   charges.
-- reads: costs, split_costs
-- rows only from: costs where x_ParentResourceId is not null; split_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        x_Source as source,
        BillingCurrency as billing_currency,
        count(*) as charges,
        coalesce(sum(x_SplitCost), 0) as split_cost,
        coalesce(sum(x_SplitUnusedCost), 0) as unused_cost
    from costs
    where x_ParentResourceId is not null
    group by all
),

summed as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(split_cost) as split_cost,
        sum(unused_cost) as unused_cost
    from split_costs
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        charged.split_cost as split_by_charges,
        summed.split_cost as split_by_mart,
        charged.unused_cost as unused_by_charges,
        summed.unused_cost as unused_by_mart
    from charged
    full join summed using (project, billing_period, source, billing_currency)
    where charged.charges is distinct from summed.charges
        or charged.split_cost is distinct from summed.split_cost
        or charged.unused_cost is distinct from summed.unused_cost
)

select * from final
