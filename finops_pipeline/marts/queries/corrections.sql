-- corrections: charges that correct billing periods invoiced earlier.
-- use case: Report on corrections for a previously invoiced billing period (FOCUS 1.0)
-- grain: billing_period, charge_month, charge_category, sub_account_id, service_name,
--        billing_currency
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
        strftime(ChargePeriodStart, '%Y-%m') as charge_month,
        ChargeCategory as charge_category,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeClass = 'Correction'
    group by all
    order by all
)

select * from final
