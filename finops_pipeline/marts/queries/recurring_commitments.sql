-- recurring_commitments: commitment fees that recur every period.
-- use case: Report recurring commitment charges (FOCUS 1.0)
-- grain: billing_period, commitment_discount_type, commitment_discount_category, billing_currency
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
        CommitmentDiscountType as commitment_discount_type,
        CommitmentDiscountCategory as commitment_discount_category,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from charge
    where ChargeCategory = 'Purchase'
        and ChargeFrequency = 'Recurring'
        and CommitmentDiscountId is not null
    group by all
    order by all
)

select * from final
