-- component_rates: average rate of each component on every cost basis.
-- use case: Calculate average rate of a component resource (FOCUS 1.0)
-- grain: billing_period, service_name, sku_id, pricing_unit, billing_currency
-- money: list_cost, contracted_cost, effective_cost (billing currency, exact decimal); rates are
--        rounded to 12 places
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

summed as (
    select
        billing_period,
        ServiceName as service_name,
        SkuId as sku_id,
        PricingUnit as pricing_unit,
        BillingCurrency as billing_currency,
        sum(PricingQuantity) as pricing_quantity,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage'
        and ChargeClass is null
        and CommitmentDiscountStatus is distinct from 'Unused'
        and PricingQuantity <> 0
    group by all
),

final as (
    select
        *,
        (list_cost / nullif(pricing_quantity, 0))::decimal(28, 12) as list_rate,
        (contracted_cost / nullif(pricing_quantity, 0))::decimal(28, 12) as contracted_rate,
        (effective_cost / nullif(pricing_quantity, 0))::decimal(28, 12) as effective_rate
    from summed
    order by billing_period, service_name, sku_id, pricing_unit, billing_currency
)

select * from final
