-- commitment_utilization: how much of each commitment was used.
-- use case: ours, in the library's form (FOCUS 1.0)
-- grain: billing_period, commitment_discount_id, billing_currency
-- money: used_cost, unused_cost (amortized; billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

summed as (
    select
        billing_period,
        CommitmentDiscountId as commitment_discount_id,
        CommitmentDiscountType as commitment_discount_type,
        BillingCurrency as billing_currency,
        coalesce(
            sum(EffectiveCost) filter (CommitmentDiscountStatus = 'Used'), 0
        ) as used_cost,
        coalesce(
            sum(EffectiveCost) filter (CommitmentDiscountStatus = 'Unused'), 0
        ) as unused_cost
    from charge
    where CommitmentDiscountStatus is not null
    group by all
),

final as (
    select
        *,
        (100 * used_cost / nullif(used_cost + unused_cost, 0))::decimal(18, 2) as used_percent
    from summed
    order by billing_period, commitment_discount_id, billing_currency
)

select * from final
