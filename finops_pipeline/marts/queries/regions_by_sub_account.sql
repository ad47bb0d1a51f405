-- regions_by_sub_account: cost of each account, and the number of services it uses, by region.
-- use case: Report sub accounts by region (FOCUS 1.0)
-- grain: billing_period, sub_account_id, region_id, billing_currency
-- money: effective_cost (billing currency, exact decimal)
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
        BillingCurrency as billing_currency,
        count(distinct ServiceName) as services,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage'
    group by all
    order by all
)

select * from final
