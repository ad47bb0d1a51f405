-- resource_skus: what each resource costs, by SKU.
-- use case: Analyze resource costs by SKU (FOCUS 1.1)
-- grain: billing_period, resource_id, resource_name, resource_type, sku_id, billing_currency
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
        ResourceId as resource_id,
        ResourceName as resource_name,
        ResourceType as resource_type,
        SkuId as sku_id,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ResourceId is not null
    group by all
    order by all
)

select * from final
