-- service_subcategories: cost by service category and subcategory.
-- use case: Report costs by service category and subcategory (FOCUS 1.1)
-- grain: billing_period, service_category, service_subcategory, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
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
        ServiceCategory as service_category,
        ServiceSubcategory as service_subcategory,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
