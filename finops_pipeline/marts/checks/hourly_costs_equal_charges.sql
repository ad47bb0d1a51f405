-- hourly_costs_equal_charges: projects and months whose hourly_costs are not the sum of their hourly
--   charges of the last 35 days.
-- reads: costs, hourly_costs
-- rows only from: costs where ChargePeriodEnd = ChargePeriodStart + interval 1 hour; hourly_costs
-- on failure: refuse

with

newest as (
    select max(cast(ChargePeriodStart as date)) as newest_day from costs
),

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
    from costs, newest
    where cast(ChargePeriodStart as date) > newest_day - 35
        and ChargePeriodEnd = ChargePeriodStart + interval 1 hour
        and ChargeCategory in ('Usage', 'Purchase')
        and ChargeFrequency <> 'One-Time'
    group by all
),

summed as (
    select
        project,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from hourly_costs
    group by all
),

final as (
    select
        project,
        billing_period,
        billing_currency,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        charged.list_cost as list_by_charges,
        summed.list_cost as list_by_mart,
        charged.contracted_cost as contracted_by_charges,
        summed.contracted_cost as contracted_by_mart
    from charged
    full join summed using (project, billing_period, billing_currency)
    where charged.charges is distinct from summed.charges
        or charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
        or charged.list_cost is distinct from summed.list_cost
        or charged.contracted_cost is distinct from summed.contracted_cost
)

select * from final
