-- effective_savings_rate: what commitments and negotiated prices saved, as a share of list cost.
-- use case: Calculate effective savings rate (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: list_cost, effective_cost, saved_cost (billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

-- list cost and not a unit price: prices of an hour and of a gigabyte do not add up. What a
-- commitment left unused has no list cost and counts against the rate.
summed as (
    select
        billing_period,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(ListCost) as list_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage' and ChargeClass is null
    group by all
),

final as (
    select
        *,
        list_cost - effective_cost as saved_cost,
        (100 * saved_cost / nullif(list_cost, 0))::decimal(18, 2) as savings_rate_percent
    from summed
    order by billing_period, service_name, billing_currency
)

select * from final
