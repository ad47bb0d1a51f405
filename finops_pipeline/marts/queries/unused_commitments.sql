-- unused_commitments: cost of commitments that was not used.
-- use case: Identify unused commitments (FOCUS 1.0)
-- grain: billing_period, commitment_discount_id, commitment_discount_type,
--        commitment_discount_unit, billing_currency
-- money: unused_cost (billing currency, exact decimal)
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
        CommitmentDiscountUnit as commitment_discount_unit,
        BillingCurrency as billing_currency,
        sum(CommitmentDiscountQuantity) as unused_quantity,
        sum(EffectiveCost) as unused_cost
    from charge
    where CommitmentDiscountStatus = 'Unused'
    group by all
    order by all
)

select * from final
