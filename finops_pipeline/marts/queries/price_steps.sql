-- price_steps: from public prices to the bill, step by step, to draw as a waterfall.
-- use case: Where do savings come from?
-- grain: billing_period, step_number, billing_currency
-- money: step_cost (billing currency, exact decimal)
-- reads: price_waterfall
--
-- Steps 1 to 10 add up to step 11, effective cost; with steps 12 and 13 to step 14, billed cost.

with

waterfall as (
    select *
    from price_waterfall
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

listed as (
    select
        billing_period,
        billing_currency,
        unnest([
            struct_pack(step_number := 1, step := 'public prices', amount := sum(list_cost)),
            struct_pack(step_number := 2, step := 'spot', amount := sum(spot_savings)),
            struct_pack(step_number := 3, step := 'agreed prices', amount := sum(negotiated_savings)),
            struct_pack(step_number := 4, step := 'commitments', amount := sum(commitment_savings)),
            struct_pack(step_number := 5, step := 'unused commitments', amount := sum(unused_cost)),
            struct_pack(step_number := 6, step := 'discounts', amount := sum(discount_cost)),
            struct_pack(step_number := 7, step := 'credits and refunds', amount := sum(credit_cost)),
            struct_pack(step_number := 8, step := 'fees', amount := sum(fee_cost)),
            struct_pack(step_number := 9, step := 'tax', amount := sum(tax_cost)),
            struct_pack(step_number := 10, step := 'adjustments', amount := sum(adjustment_cost)),
            struct_pack(step_number := 11, step := '= effective cost', amount := sum(effective_cost)),
            struct_pack(step_number := 12, step := 'fees of commitments', amount := sum(commitment_fees)),
            struct_pack(step_number := 13, step := 'less their effective cost', amount := sum(amortized_fees)),
            struct_pack(step_number := 14, step := '= billed cost', amount := sum(billed_cost))
        ]) as part
    from waterfall
    group by billing_period, billing_currency
),

final as (
    select
        billing_period,
        part.step_number as step_number,
        part.step as step,
        billing_currency,
        part.amount as step_cost
    from listed
    order by billing_period, billing_currency, step_number
)

select * from final
