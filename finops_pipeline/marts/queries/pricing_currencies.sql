-- pricing_currencies: effective cost in the currency of the price list.
-- use case: Analyze effective cost by pricing currency (FOCUS 1.2)
-- grain: billing_period, pricing_currency, service_name, billing_currency
-- money: pricing_currency_effective_cost, effective_cost (billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

final as (
    select
        billing_period,
        PricingCurrency as pricing_currency,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(PricingCurrencyEffectiveCost) as pricing_currency_effective_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
