-- resource_usage_month_over_month: usage of each resource, and its change from the month before.
-- use case: Compare resource usage month over month (FOCUS 1.0)
-- grain: billing_period, resource_id, sku_id, consumed_unit, billing_currency
-- money: effective_cost (billing currency, exact decimal); quantities are exact too
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

monthly as (
    select
        BillingPeriodStart,
        ResourceId as resource_id,
        SkuId as sku_id,
        ConsumedUnit as consumed_unit,
        BillingCurrency as billing_currency,
        sum(ConsumedQuantity) as consumed_quantity,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage' and ConsumedQuantity is not null and ResourceId is not null
    group by all
),

final as (
    select
        strftime(this.BillingPeriodStart, '%Y-%m') as billing_period,
        this.resource_id,
        this.sku_id,
        this.consumed_unit,
        this.billing_currency,
        this.consumed_quantity,
        before.consumed_quantity as quantity_before,
        this.effective_cost
    from monthly as this
    left join monthly as before
        on before.BillingPeriodStart = this.BillingPeriodStart - interval 1 month
        and before.resource_id = this.resource_id
        and before.sku_id is not distinct from this.sku_id
        and before.consumed_unit = this.consumed_unit
        and before.billing_currency = this.billing_currency
    order by billing_period, resource_id, sku_id, consumed_unit, this.billing_currency
)

select * from final
