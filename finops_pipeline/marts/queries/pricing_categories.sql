-- pricing_categories: cost of usage by pricing category: standard, dynamic (spot), committed.
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, pricing_category, service_name, billing_currency
-- money: list_cost, contracted_cost, effective_cost (billing currency, exact decimal)
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
        PricingCategory as pricing_category,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage'
    group by all
    order by all
)

select * from final
