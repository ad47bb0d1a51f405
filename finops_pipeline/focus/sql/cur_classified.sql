-- cur_classified: line items of a Cost and Usage Report with the kind of charge that each becomes.
-- grain: a line item without Savings Plan negations, or the unused part of a commitment fee
-- money: unblended and net (as the report states them), unused_cost (the unused part of a fee)
-- reads: line_items
-- check: charges_equal_lines
--
-- First of three steps: classified, priced (cur_priced), named (cur_charges). line_items holds a
-- source's columns under CUR 2.0 names, typed; x_project is the project that owns the row.
-- Sources: FOCUS 1.2 ChargeCategory, ChargeClass and CommitmentDiscount; AWS "Understanding your
-- Savings Plans / reservation line items", "Split line item details".

with

line_item as (
    select
        *,
        line_item_line_item_type as line_type,
        line_item_unblended_cost as unblended,
        line_item_net_unblended_cost as net,
        coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) as arn,
        savings_plan_savings_plan_a_r_n is not null as is_savings_plan,
        split_line_item_parent_resource_id is not null as is_split,
        line_type = 'SavingsPlanCoveredUsage' as is_plan_usage,
        line_type = 'DiscountedUsage' as is_reserved_usage,
        line_type = 'Refund' as is_refund,
        -- AWS does not always state the ARN of a Savings Plan that was returned
        is_refund and line_item_tax_type is null and (
            arn is not null or coalesce(ends_with(line_item_product_code, 'SavingsPlans'), false)
        ) as is_commitment_refund,
        -- the refund of a one-time fee, as AWS describes it: "Refund for one-time fee for Savings
        -- Plan ID: …"; a reservation's upfront fee is its "Sign up charge". Any other refund of a
        -- commitment pays back discounts or recurring fees
        case
            -- a case expression, so that the pattern is searched for only in refunds
            when is_commitment_refund then coalesce(regexp_matches(
                line_item_line_item_description, '(?i)one-time fee|upfront fee|sign up charge'
            ), false)
            else false
        end as is_fee_refund,
        line_item_usage_start_date as period_start,
        exclusive_end(line_item_usage_end_date) as stated_end,
        exclusive_end(bill_billing_period_end_date) as bill_end
    from line_items
),

-- negations are dropped with the usage that they cancel; cur_priced adds any remainder
flagged as (
    select
        *,
        line_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee')
        or is_fee_refund
        or (line_type = 'Fee' and arn is not null) as is_commitment_fee,
        (is_plan_usage or is_reserved_usage) and not is_split as is_covered,
        is_refund and (
            coalesce(bill_bill_type = 'Refund', false)
            or coalesce(stated_end <= bill_billing_period_start_date, false)
        ) as is_correction,
        coalesce(pricing_purchase_option = 'Spot', false)
        or coalesce(contains(line_item_usage_type, 'SpotUsage'), false) as is_spot
    from line_item
    where line_type <> 'SavingsPlanNegation'
),

categorized as (
    select
        *,
        case
            when line_type = 'Usage' or is_plan_usage or is_reserved_usage then 'Usage'
            when line_type in ('Fee', 'FlatRateSubscription') or is_commitment_fee then 'Purchase'
            when line_type = 'Tax' then 'Tax'
            when line_type = 'Credit' then 'Credit'
            when is_refund and line_item_tax_type is not null then 'Tax'
            when is_commitment_refund then 'Adjustment'
            when is_refund then 'Usage'
            else 'Adjustment'
        end as category,
        case
            when not is_split and (is_covered or is_commitment_fee or is_refund) then arn
        end as commitment_id,
        -- the part of a fee's commitment that nothing used
        case
            when is_split then 0
            when line_type = 'SavingsPlanRecurringFee'
            then coalesce(
                savings_plan_total_commitment_to_date - savings_plan_used_commitment, 0
            )
            when line_type = 'RIFee'
            then coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
                + coalesce(reservation_unused_recurring_fee, 0)
            else 0
        end as unused_cost
    from flagged
),

-- a fee that was not used up becomes two rows: the purchase, and the unused part
row as (
    select
        *,
        unnest(case when unused_cost <> 0 then ['line', 'unused'] else ['line'] end) as row_kind
    from categorized
),

final as (
    select
        * replace (case when row_kind = 'unused' then 'Usage' else category end as category),
        row_kind = 'unused' as is_unused
    from row
)

select * from final
