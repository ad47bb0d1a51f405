-- currencies_apart: months in which the costs of a mart in one currency are not those of the
--   charges in that currency.
-- reads: costs, daily_costs, monthly_costs, monthly_bill
-- on failure: refuse
--
-- No group of any table adds one currency to another: in every one of them each currency of a month
-- comes to the same amount.

with

stated as (
    select
        'costs' as relation,
        billing_period,
        BillingCurrency as billing_currency,
        BilledCost as billed_cost
    from costs
    union all
    select 'daily_costs', billing_period, billing_currency, billed_cost from daily_costs
    union all
    select 'monthly_costs', billing_period, billing_currency, billed_cost from monthly_costs
    union all
    select 'monthly_bill', billing_period, billing_currency, billed_cost from monthly_bill
),

summed as (
    select
        billing_period,
        billing_currency,
        coalesce(sum(billed_cost) filter (relation = 'costs'), 0) as in_costs,
        coalesce(sum(billed_cost) filter (relation = 'daily_costs'), 0) as in_daily_costs,
        coalesce(sum(billed_cost) filter (relation = 'monthly_costs'), 0) as in_monthly_costs,
        coalesce(sum(billed_cost) filter (relation = 'monthly_bill'), 0) as in_monthly_bill
    from stated
    group by all
),

final as (
    select *
    from summed
    where billing_currency is null
        or in_costs <> in_daily_costs
        or in_costs <> in_monthly_costs
        or in_costs <> in_monthly_bill
)

select * from final
