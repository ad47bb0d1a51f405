-- cash_and_amortized: billed cost next to amortized cost, month by month.
-- use case: ours, in the library's form (FOCUS 1.0)
-- grain: billing_period, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost (billing currency, exact decimal)
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
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(BilledCost) - sum(EffectiveCost) as difference,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost
    from charge
    group by all
    order by billing_period, billing_currency
)

select * from final
