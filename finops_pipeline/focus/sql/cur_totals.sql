-- cur_totals: totals of the landed line items of a report, before they become charges.
-- grain: x_project, sub_account_id, service_code, line_item_type, billing_currency
-- money: billed_cost (unblended), effective_cost (amortized, by AWS's own definition),
--        net_billed_cost (unblended after private discounts, where stated)
-- reads: line_items
-- check: charges_equal_lines, effective_equals_lines
--
-- line_items holds a source's columns under CUR 2.0 names, typed; x_project is the project that
-- owns the row. Amortized cost by AWS "Understanding your Savings Plans / reservation line items":
-- covered usage counts at its effective cost, a fee at the cost of its unused part, and a negation,
-- upfront fee or refund of a one-time fee at 0; a row that splits an instance's cost (a task or pod) counts
-- at its own billed cost. Written independently of cur_priced, so that each reveals errors in the other.

with

line as (
    select * from line_items
),

final as (
    select
        x_project,
        line_item_usage_account_id as sub_account_id,
        coalesce(line_item_product_code, product_product_name, 'AWS') as service_code,
        line_item_line_item_type as line_item_type,
        line_item_currency_code as billing_currency,
        count(*) as rows,
        sum(line_item_unblended_cost) as billed_cost,
        sum(
            case line_item_line_item_type
                || case when split_line_item_parent_resource_id > '' then ' split' else '' end
                when 'SavingsPlanCoveredUsage split' then 0
                when 'SavingsPlanNegation' then 0
                when 'SavingsPlanUpfrontFee' then 0
                when 'SavingsPlanCoveredUsage'
                then coalesce(savings_plan_savings_plan_effective_cost, 0)
                when 'SavingsPlanRecurringFee'
                then coalesce(
                    savings_plan_total_commitment_to_date - savings_plan_used_commitment, 0
                )
                when 'DiscountedUsage'
                then coalesce(reservation_effective_cost, line_item_unblended_cost)
                when 'RIFee'
                then coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
                    + coalesce(reservation_unused_recurring_fee, 0)
                when 'Fee'
                then case
                    when reservation_reservation_a_r_n > '' or savings_plan_savings_plan_a_r_n > ''
                    then 0
                    else line_item_unblended_cost
                end
                when 'Refund'
                then case
                    when line_item_tax_type > '' then line_item_unblended_cost
                    when (
                        reservation_reservation_a_r_n > '' or savings_plan_savings_plan_a_r_n > ''
                        or line_item_product_code like '%SavingsPlans'
                    ) and (
                        contains(lower(line_item_line_item_description), 'one-time fee')
                        or contains(lower(line_item_line_item_description), 'upfront fee')
                        or contains(lower(line_item_line_item_description), 'sign up charge')
                    )
                    then 0
                    else line_item_unblended_cost
                end
                else line_item_unblended_cost
            end
        ) as effective_cost,
        sum(line_item_net_unblended_cost) as net_billed_cost
    from line
    group by all
)

select * from final
