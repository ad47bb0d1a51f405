-- service_charges: what each provider bills for each service.
-- use case: Verify accuracy of services charges (FOCUS 1.0)
-- grain: billing_period, provider_name, publisher_name, service_name, billing_currency
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
        ProviderName as provider_name,
        PublisherName as publisher_name,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from charge
    group by all
    order by all
)

select * from final
