-- historical_rates: quantities and unit prices of usage, month by month.
-- use case: Get historical usage and rates (FOCUS 1.0)
-- grain: billing_period, service_name, sku_price_id, pricing_category, pricing_unit,
--        list_unit_price, contracted_unit_price, billing_currency
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
        ServiceName as service_name,
        SkuPriceId as sku_price_id,
        PricingCategory as pricing_category,
        PricingUnit as pricing_unit,
        ListUnitPrice as list_unit_price,
        ContractedUnitPrice as contracted_unit_price,
        BillingCurrency as billing_currency,
        sum(PricingQuantity) as pricing_quantity,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage' and ChargeClass is null and SkuPriceId is not null
    group by all
    order by all
)

select * from final
