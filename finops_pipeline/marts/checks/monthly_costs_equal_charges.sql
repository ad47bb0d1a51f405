-- monthly_costs_equal_charges: months of projects whose monthly_costs are not the sum of their charges.
-- reads: costs, monthly_costs
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

told as (
    select
        project,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from monthly_costs
    group by all
),

final as (
    (select 'charges say' as what, * from charged except select 'charges say', * from told)
    union all
    (select 'monthly_costs say', * from told except select 'monthly_costs say', * from charged)
)

select * from final
