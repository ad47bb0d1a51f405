-- availability_zones: what each account spends in each availability zone.
-- use case: Analyze costs by availability zone for a sub account (FOCUS 1.0)
-- grain: billing_period, sub_account_id, region_id, availability_zone, billing_currency
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
        SubAccountId as sub_account_id,
        RegionId as region_id,
        AvailabilityZone as availability_zone,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
