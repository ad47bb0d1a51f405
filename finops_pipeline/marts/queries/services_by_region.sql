-- services_by_region: what each service costs in each region.
-- use case: Analyze service costs by region (FOCUS 1.0)
-- grain: billing_period, service_name, region_id, region_name, billing_currency
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
        ServiceName as service_name,
        RegionId as region_id,
        RegionName as region_name,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
