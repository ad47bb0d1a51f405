-- compute_by_sub_account: what each account spends on compute services.
-- use case: Analyze cost per compute service for a sub account (FOCUS 1.0)
-- grain: billing_period, sub_account_id, service_name, billing_currency
-- money: effective_cost, list_cost (billing currency, exact decimal)
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
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost
    from charge
    where ServiceCategory = 'Compute' and ChargeCategory = 'Usage'
    group by all
    order by all
)

select * from final
