-- unblended_equals_amortized: sources and months whose billed and effective costs differ by more
--   than upfront payments explain.
-- reads: costs
-- on failure: warn
--
-- Sum of billed (unblended) = sum of effective (amortized) + upfront fees - shares of upfront
-- payments that fall in the month (AWS's true-ups). Nothing else may explain a difference. Refunds
-- of commitments' fees (category Purchase) count as upfront fees: they have no effective cost.
-- Commitments whose recurring fee is not in this bill (another account owns them) are left out.
-- Tolerance: 1e-9 per charge, as AWS states amounts to ten decimals. CUR only: FOCUS exports do not
-- state the share of an upfront payment.

with

by_commitment as (
    select
        x_Source as source,
        billing_period,
        BillingCurrency as billing_currency,
        CommitmentDiscountId as commitment_discount_id,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(BilledCost) filter (
            (x_LineItemType = 'Refund' and ChargeCategory = 'Purchase')
            or (
                x_LineItemType in ('SavingsPlanUpfrontFee', 'Fee')
                and CommitmentDiscountId is not null
            )
        ) as upfront_fees,
        sum(x_AmortizedUpfrontCost) as upfront_shares,
        bool_or(x_LineItemType in ('SavingsPlanRecurringFee', 'RIFee')) as has_fee
    from costs
    where x_LineItemType is not null
    group by all
),

final as (
    select
        source,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as unblended_cost,
        sum(effective_cost) as amortized_cost,
        coalesce(sum(upfront_fees), 0) as upfront_fees,
        coalesce(sum(upfront_shares), 0) as upfront_shares,
        sum(billed_cost) - sum(effective_cost)
        - (coalesce(sum(upfront_fees), 0) - coalesce(sum(upfront_shares), 0)) as difference
    from by_commitment
    where commitment_discount_id is null or has_fee
    group by all
    having abs(difference) > 0.000000001 * sum(charges)
)

select * from final
