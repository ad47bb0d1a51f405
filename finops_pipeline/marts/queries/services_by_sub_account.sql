-- services_by_sub_account: what each account spends on each service.
-- use case: Analyze service costs by sub account (FOCUS 1.0)
-- grain: billing_period, sub_account_id, sub_account_name, service_name, billing_currency
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
        SubAccountName as sub_account_name,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
