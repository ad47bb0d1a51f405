-- commitment_purchases: purchases of commitments, one-time and recurring.
-- use case: Report commitment discount purchases (FOCUS 1.0)
-- grain: billing_period, commitment_discount_id, commitment_discount_type, charge_frequency,
--        billing_account_id, billing_currency
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
        CommitmentDiscountId as commitment_discount_id,
        CommitmentDiscountType as commitment_discount_type,
        ChargeFrequency as charge_frequency,
        BillingAccountId as billing_account_id,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost
    from charge
    where ChargeCategory = 'Purchase' and CommitmentDiscountId is not null and ChargeClass is null
    group by all
    order by all
)

select * from final
