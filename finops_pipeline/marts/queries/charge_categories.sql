-- charge_categories: cost of each month by charge category: usage, purchases, tax, credits,
--   adjustments.
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, charge_category, charge_class, charge_frequency, billing_currency
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
        ChargeCategory as charge_category,
        ChargeClass as charge_class,
        ChargeFrequency as charge_frequency,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by all
)

select * from final
