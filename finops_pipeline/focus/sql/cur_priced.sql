-- cur_priced: classified line items with their costs on every basis, and their quantities.
-- grain: one charge: a line item, the unused part of a commitment fee, or a residual
-- money: billed (unblended), effective (amortized), list, contracted (all gross); net_billed and
--        net_effective, null where the report states none
-- reads: cur_classified, line_items
-- check: charges_equal_lines, effective_equals_lines, unblended_equals_amortized
--
-- Second of three steps: cur_classified, priced, cur_charges.
-- Costs by line item type: FOCUS 1.2 CommitmentDiscount and DiscountHandling; AWS "Understanding
-- your Savings Plans / reservation line items", "Split line item details". Usage that a commitment
-- covers bills nothing, because its commitment was billed. Commitment fees and refunds of one-time
-- fees have no effective cost: it is spread over what uses them and the unused part. Split rows (tasks and
-- pods) repeat what their instance costs, so split costs stay out of the four costs.
-- Net amounts stay out of them too, and nothing replaces a net amount that is not stated.

with

costed as (
    select
        *,
        -- all costs are in the billing currency (FOCUS 1.2 ListCost, ContractedCost); AWS states
        -- public amounts in pricing_currency
        case
            when coalesce(pricing_currency = line_item_currency_code, true)
            then pricing_public_on_demand_cost
        end as public_cost,
        case when is_unused or is_plan_usage then 0 else unblended end as billed,
        case
            when is_unused then unused_cost
            when is_split then billed
            when is_plan_usage then coalesce(savings_plan_savings_plan_effective_cost, 0)
            when is_reserved_usage then coalesce(reservation_effective_cost, unblended)
            when is_commitment_fee then 0
            else unblended
        end as effective,
        case when net is not null then case when is_unused or is_plan_usage then 0 else net end end
            as net_billed,
        case
            when is_unused and line_type = 'RIFee'
            then sum_of_stated(
                reservation_net_unused_amortized_upfront_fee_for_billing_period,
                reservation_net_unused_recurring_fee
            )
            when is_unused
            then share_of(
                sum_of_stated(
                    savings_plan_net_amortized_upfront_commitment_for_billing_period,
                    savings_plan_net_recurring_commitment_for_billing_period
                ),
                unused_cost,
                savings_plan_total_commitment_to_date
            )
            when is_split then net_billed
            when is_plan_usage then savings_plan_net_savings_plan_effective_cost
            when is_reserved_usage then reservation_net_effective_cost
            when is_commitment_fee and net is not null then 0
            else net
        end as net_effective,
        case
            when is_unused then 0
            when is_split then billed
            when is_reserved_usage
            then coalesce(public_cost, reservation_effective_cost, unblended)
            when category = 'Usage' and not is_refund
            then coalesce(public_cost, unblended)
            else unblended
        end as list,
        case when is_unused or is_split or is_reserved_usage then list else unblended end
            as contracted,
        case
            when is_unused then null
            when line_type = 'SavingsPlanRecurringFee'
            then coalesce(savings_plan_amortized_upfront_commitment_for_billing_period, 0)
            when line_type = 'RIFee'
            then coalesce(reservation_amortized_upfront_fee_for_billing_period, 0)
        end as amortized_upfront,
        case
            when is_unused and x_use_known_until > period_start and x_use_known_until < stated_end
            then x_use_known_until
        end as known_until,
        -- the fee of a reservation states what is not used in the whole period, a Savings Plan what
        -- was not used to date; the rest of an unfinished month costs as much per minute as the whole
        case
            when known_until is not null and line_type = 'RIFee'
            then coalesce(
                exact_ratio(
                    (
                        (
                            unblended
                            + coalesce(reservation_amortized_upfront_fee_for_billing_period, 0)
                        ) * date_diff('minute', known_until, stated_end)
                    )::decimal(38, 18),
                    date_diff('minute', period_start, stated_end)::decimal(38, 18)
                ),
                0
            )
        end as rest_of_month,
        case when rest_of_month <= unused_cost then rest_of_month end as not_yet_used,
        case when line_type <> 'RIFee' or not_yet_used is not null then known_until end
            as use_known_until
    from cur_classified
),

quantified as (
    select
        *,
        category in ('Usage', 'Purchase') and not is_correction as has_quantity,
        -- a price needs a quantity to be multiplied by; prices are never negative, so the quantity
        -- takes the sign of the cost
        coalesce(
            nullif(abs(line_item_usage_amount), 0),
            case when category = 'Purchase' or contracted <> 0 or list <> 0 then 1 else 0 end
        ) as size,
        case
            when is_unused and is_savings_plan then unused_cost
            when is_unused then coalesce(reservation_unused_quantity, 0)
            when not has_quantity then null
            when coalesce(nullif(contracted, 0), nullif(list, 0), line_item_usage_amount) < 0
            then -size
            else size
        end as quantity,
        -- one unit for all rows of a commitment: used and unused add up to what was purchased
        case
            when commitment_id is null or not has_quantity then null
            when is_savings_plan
            then case
                when is_unused then unused_cost
                when is_plan_usage then effective
                when line_type = 'SavingsPlanRecurringFee'
                then coalesce(savings_plan_total_commitment_to_date, unblended)
                else unblended
            end
            when x_in_normalized_units
            then case
                when is_unused then coalesce(reservation_unused_normalized_unit_quantity, 0)
                when is_refund then -abs(coalesce(line_item_normalized_usage_amount, 0))
                when category = 'Purchase'
                then coalesce(
                    reservation_total_reserved_normalized_units,
                    normalized(reservation_total_reserved_units, line_item_normalization_factor),
                    line_item_normalized_usage_amount,
                    0
                )
                else coalesce(line_item_normalized_usage_amount, 0)
            end
            when is_unused then quantity
            -- what the refunded fee reserved, as the fee itself states it
            when is_refund then -abs(coalesce(reservation_total_reserved_units, quantity))
            when category = 'Purchase'
            then coalesce(reservation_total_reserved_units, line_item_usage_amount, 0)
            else coalesce(line_item_usage_amount, 0)
        end as commitment_quantity
    from costed
),

-- the remainder that negations did not cancel (usually none) becomes an adjustment, so that every
-- account's charges still add up exactly to its bill
residual as (
    select
        'residual' as row_kind,
        'SavingsPlanNegation' as line_type,
        'Adjustment' as category,
        false as is_unused,
        false as is_refund,
        false as is_correction,
        false as is_commitment_fee,
        false as is_covered,
        false as is_savings_plan,
        false as is_spot,
        false as is_split,
        'Rest of Savings Plan negations' as line_item_line_item_description,
        line_item_usage_account_id,
        min(line_item_usage_account_name) as line_item_usage_account_name,
        line_item_currency_code,
        min(bill_payer_account_id) as bill_payer_account_id,
        min(bill_payer_account_name) as bill_payer_account_name,
        min(bill_invoicing_entity) as bill_invoicing_entity,
        min(bill_billing_entity) as bill_billing_entity,
        min(bill_invoice_id) as bill_invoice_id,
        min(bill_bill_type) as bill_bill_type,
        min(bill_billing_period_start_date) as bill_billing_period_start_date,
        exclusive_end(min(bill_billing_period_end_date)) as bill_end,
        min(line_item_usage_start_date) as period_start,
        exclusive_end(max(line_item_usage_end_date)) as stated_end,
        min(line_item_product_code) as line_item_product_code,
        min(product_product_name) as product_product_name,
        min(line_item_legal_entity) as line_item_legal_entity,
        min(x_source) as x_source,
        min(x_source_file) as x_source_file,
        x_project,
        sum(line_item_unblended_cost) as billed,
        sum(line_item_net_unblended_cost) as net_billed,
        net_billed as net_effective,
        billed as effective,
        billed as list,
        billed as contracted,
        billed as unblended
    from line_items
    where line_item_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
    group by
        x_project,
        line_item_usage_account_id,
        savings_plan_savings_plan_a_r_n,
        line_item_currency_code
    having sum(line_item_unblended_cost) <> 0 or sum(line_item_net_unblended_cost) <> 0
),

final as (
    select * from quantified
    union all by name
    select * from residual
)

select * from final
