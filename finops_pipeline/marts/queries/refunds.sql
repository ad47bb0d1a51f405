-- refunds: refunds: negative charges for usage or purchases.
-- use case: Report on refunds by sub account within a billing period (FOCUS 1.0)
-- grain: billing_period, sub_account_id, service_name, charge_category, charge_class,
--        billing_currency
-- money: billed_cost (billing currency, exact decimal)
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
        ChargeCategory as charge_category,
        ChargeClass as charge_class,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from charge
    where BilledCost < 0 and ChargeCategory in ('Usage', 'Purchase', 'Tax')
    group by all
    order by all
)

select * from final
