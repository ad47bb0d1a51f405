-- commitments_amortize: commitments whose used and unused cost is not what they were billed.
-- reads: costs
-- on failure: warn
--
-- Per commitment and month: effective cost of used and unused rows = recurring fees billed
-- + the month's share of an upfront payment. Only where the fee rows are in this tenant's bill
-- (a commitment may be owned by another account) and state their upfront share (CUR, not FOCUS).

with

by_commitment as (
    select
        x_Source as source,
        billing_period,
        CommitmentDiscountId as commitment_discount_id,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) filter (ChargeCategory = 'Usage') as used_and_unused_cost,
        sum(BilledCost) filter (
            x_LineItemType in ('SavingsPlanRecurringFee', 'RIFee') and x_RowKind = 'line'
        ) as fees_billed,
        sum(x_AmortizedUpfrontCost) as upfront_share
    from costs
    where CommitmentDiscountId is not null and x_LineItemType is not null
    group by all
),

final as (
    select
        *,
        coalesce(used_and_unused_cost, 0) - fees_billed - coalesce(upfront_share, 0) as difference
    from by_commitment
    where coalesce(used_and_unused_cost, 0) - fees_billed - coalesce(upfront_share, 0) <> 0
)

select * from final
