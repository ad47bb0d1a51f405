-- commitments_amortize: commitments whose used and unused costs do not add up to what was
--   billed for them.
-- reads: costs
-- rows only from: costs where CommitmentDiscountId is not null
-- on failure: warn
--
-- Per commitment and month: effective cost of used and unused rows = recurring fees billed + the
-- month's share of an upfront payment. Without an upfront payment that is what was purchased; paid
-- all upfront, the fees are 0 and the share is everything. Sizes (normalized units) do not matter:
-- both sides are money. Only commitments are compared whose fee rows are in this tenant's bill
-- (another account may own a commitment) and state their upfront share (CUR, not FOCUS).
-- Tolerance: 1e-9 per charge, as AWS states amounts to ten decimals.

with

by_commitment as (
    select
        x_Source as source,
        billing_period,
        CommitmentDiscountId as commitment_discount_id,
        BillingCurrency as billing_currency,
        count(*) as charges,
        min(project) as first_project,
        sum(EffectiveCost) filter (CommitmentDiscountStatus = 'Used') as used_cost,
        sum(EffectiveCost) filter (CommitmentDiscountStatus = 'Unused') as unused_cost,
        sum(BilledCost) filter (
            x_LineItemType in ('SavingsPlanRecurringFee', 'RIFee') and x_RowKind = 'line'
        ) as fees_billed,
        sum(x_AmortizedUpfrontCost) as upfront_share
    from costs
    where CommitmentDiscountId is not null
        and x_LineItemType is not null
        and x_LineItemType <> 'Refund'
    group by all
),

final as (
    select
        *,
        coalesce(used_cost, 0) + coalesce(unused_cost, 0)
        - fees_billed
        - coalesce(upfront_share, 0) as difference
    from by_commitment
    where abs(
        coalesce(used_cost, 0) + coalesce(unused_cost, 0) - fees_billed
        - coalesce(upfront_share, 0)
    ) > 0.000000001 * charges
)

select * from final
