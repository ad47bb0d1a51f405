-- contracted_savings: what negotiated prices saved compared with list prices.
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: list_cost, contracted_cost, saved_cost (billing currency, exact decimal)
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
        BillingCurrency as billing_currency,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        sum(ListCost) - sum(ContractedCost) as saved_cost
    from charge
    where ChargeCategory = 'Usage' and ChargeClass is null
    group by all
    order by billing_period, service_name, billing_currency
)

select * from final
