-- credits: credits by the reason that AWS gives.
-- use case: Analyze credit memos (FOCUS 1.2)
-- grain: billing_period, invoice_id, sub_account_id, service_name, charge_description,
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
        InvoiceId as invoice_id,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        ChargeDescription as charge_description,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from charge
    where ChargeCategory = 'Credit'
    group by all
    order by all
)

select * from final
