-- commitment_utilization_hourly: what was committed, used and unused in each period of the bill,
--   such as an hour.
-- grain: billing_period, period_start, period_hours, source, commitment_discount_id,
--        billing_currency
-- money: fees_billed, upfront_share, used_cost, unused_cost, not_yet_used_cost, upfront_billed,
--        cost_so_far (amortized, except for what was billed; billing currency)
-- reads: costs
-- rows only from: costs where CommitmentDiscountId is not null
-- lookback: 0 months
-- check: commitment_hours_equal_charges
-- slice: billing_period
--
-- Periods are those of the bill: an hour or a day for usage and for the fees of Savings Plans; the
-- fee of a reservation covers a month. Use is compared with the fee of the same period, so a
-- percentage is never above 100 unless AWS states more used than committed. A refund counts neither
-- as use nor as a fee (decision 99).

with

charge as (
    select
        *,
        x_RowKind = 'line' and ChargeCategory = 'Purchase' and (
            x_LineItemType in ('RIFee', 'SavingsPlanRecurringFee')
            or x_LineItemType is null and ChargeFrequency = 'Recurring'
        ) as is_fee,
        x_RowKind = 'line' and ChargeCategory = 'Purchase' and (
            x_LineItemType in ('Fee', 'SavingsPlanUpfrontFee')
            or x_LineItemType is null and ChargeFrequency <> 'Recurring'
        ) as is_upfront,
        CommitmentDiscountStatus is not distinct from 'Used' as is_used,
        CommitmentDiscountStatus is not distinct from 'Unused' as is_unused
    from costs
    where CommitmentDiscountId is not null
        and ChargeClass is null
        and x_LineItemType is distinct from 'Refund'
        and ChargeCategory in ('Purchase', 'Usage')
),

summed as (
    select
        billing_period,
        ChargePeriodStart as period_start,
        date_diff('second', ChargePeriodStart, ChargePeriodEnd) // 3600 as period_hours,
        x_Source as source,
        CommitmentDiscountId as commitment_discount_id,
        BillingCurrency as billing_currency,
        max(CommitmentDiscountType) as commitment_discount_type,
        max(CommitmentDiscountUnit) as commitment_discount_unit,
        max(project) filter (is_fee or is_unused or is_upfront) as fee_project,
        min(project) filter (is_used) as use_project,
        max(SubAccountId) filter (is_fee or is_unused or is_upfront) as owner_account_id,
        max(RegionId) filter (is_fee) as fee_region_id,
        max(x_InstanceType) filter (is_fee) as fee_instance_type,
        max(ServiceName) filter (is_fee) as fee_service_name,
        max(x_CommitmentOffering) as offering,
        max(x_CommitmentTerm) as term,
        max(x_CommitmentPaymentOption) as payment_option,
        min(x_CommitmentStart) as start_time,
        max(x_CommitmentEnd) as end_time,
        count(*) as charges,
        sum(CommitmentDiscountQuantity) filter (is_fee) as committed_quantity,
        sum(CommitmentDiscountQuantity) filter (is_used) as covered_quantity,
        sum(CommitmentDiscountQuantity) filter (is_unused) as unused_quantity,
        sum(BilledCost) filter (is_fee) as fees_billed,
        sum(x_AmortizedUpfrontCost) filter (is_fee) as upfront_share,
        sum(EffectiveCost) filter (is_used) as used_cost,
        sum(EffectiveCost) filter (is_unused) as unused_cost,
        sum(x_NotYetUsedCost) filter (is_unused) as not_yet_used_cost,
        sum(BilledCost) filter (is_upfront) as upfront_billed
    from charge
    group by all
),

final as (
    select
        *,
        -- the fee states what was committed and what is unused; hours still to come do not count
        fees_billed + upfront_share - coalesce(not_yet_used_cost, 0) as cost_so_far,
        try_cast(
            100 * (
                (fees_billed + upfront_share - coalesce(unused_cost, 0)) / nullif(cost_so_far, 0)
            ) as decimal(18, 2)
        ) as used_percent
    from summed
)

select * from final
