-- publishers: what sellers other than the provider charge (Marketplace).
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, publisher_name, invoice_issuer_name, service_name, billing_currency
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
        PublisherName as publisher_name,
        InvoiceIssuerName as invoice_issuer_name,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
