-- resource_usage_month_over_month: usage of each resource, and its change from the previous month.
-- use case: Compare resource usage month over month (FOCUS 1.0)
-- grain: billing_period, resource_id, sku_id, consumed_unit, billing_currency
-- money: effective_cost (billing currency, exact decimal); quantities are exact too
-- reads: costs_focus_1_2

with

-- the month before the first one is read for comparison; it is not shown
charge as (
    select *
    from costs_focus_1_2
    where BillingPeriodStart >= $from::date - interval 1 month and BillingPeriodStart < $to
),

monthly as (
    select
        BillingPeriodStart as month_start,
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

billed_month as (
    select distinct BillingPeriodStart as month_start from charge
),

-- the resources of a month, and those of the month before, which may be gone: they used 0
listed as (
    select month_start, resource_id, sku_id, consumed_unit, billing_currency from monthly
    union
    select month_start + interval 1 month, resource_id, sku_id, consumed_unit, billing_currency
    from monthly
),

-- quantity_before is null if nothing is known about the month before, and 0 if the usage is new
final as (
    select
        strftime(listed.month_start, '%Y-%m') as billing_period,
        listed.resource_id,
        listed.sku_id,
        listed.consumed_unit,
        listed.billing_currency,
        coalesce(this.consumed_quantity, 0::decimal(38, 18)) as consumed_quantity,
        case when month_before.month_start is not null
            then coalesce(before.consumed_quantity, 0::decimal(38, 18))
        end as quantity_before,
        coalesce(this.effective_cost, 0::decimal(38, 18)) as effective_cost
    from listed
    join billed_month as this_month on this_month.month_start = listed.month_start
    left join billed_month as month_before
        on month_before.month_start = listed.month_start - interval 1 month
    left join monthly as this
        on this.month_start = listed.month_start
        and this.resource_id = listed.resource_id
        and this.sku_id is not distinct from listed.sku_id
        and this.consumed_unit is not distinct from listed.consumed_unit
        and this.billing_currency is not distinct from listed.billing_currency
    left join monthly as before
        on before.month_start = listed.month_start - interval 1 month
        and before.resource_id = listed.resource_id
        and before.sku_id is not distinct from listed.sku_id
        and before.consumed_unit is not distinct from listed.consumed_unit
        and before.billing_currency is not distinct from listed.billing_currency
    where listed.month_start >= $from
    order by billing_period, listed.resource_id, listed.sku_id, listed.consumed_unit,
        listed.billing_currency
)

select * from final
