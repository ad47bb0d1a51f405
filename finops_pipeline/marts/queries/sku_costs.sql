-- sku_costs: cost of each meter of a SKU.
-- use case: Analyze the different metered costs for a particular SKU (FOCUS 1.1)
-- grain: billing_period, sku_id, sku_meter, sku_price_id, pricing_unit, billing_currency
-- money: list_cost, effective_cost (billing currency, exact decimal)
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
        SkuId as sku_id,
        SkuMeter as sku_meter,
        SkuPriceId as sku_price_id,
        PricingUnit as pricing_unit,
        BillingCurrency as billing_currency,
        sum(PricingQuantity) as pricing_quantity,
        sum(ListCost) as list_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where SkuId is not null
    group by all
    order by all
)

select * from final
