-- provider_invoices: total of each invoice, to compare with the invoice itself.
-- use case: Verify accuracy of provider invoices (FOCUS 1.0; InvoiceId since 1.2)
-- grain: billing_period, invoice_id, invoice_issuer_name, billing_account_id, billing_currency
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
        InvoiceIssuerName as invoice_issuer_name,
        BillingAccountId as billing_account_id,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from charge
    group by all
    order by all
)

select * from final
