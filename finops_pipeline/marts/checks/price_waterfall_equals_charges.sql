-- price_waterfall_equals_charges: projects and months whose price_waterfall does not add up, from
--   list cost to effective cost and to billed cost, or is not the sum of their charges by resource
--   and day.
-- reads: price_waterfall, resource_daily_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from resource_daily_costs
    group by all
),

summed as (
    select
        project,
        billing_period,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(
            list_cost + spot_savings + negotiated_savings + commitment_savings + unused_cost
            + discount_cost + credit_cost + fee_cost + tax_cost + adjustment_cost
        ) as steps,
        sum(effective_cost + commitment_fees + amortized_fees) as billed_steps
    from price_waterfall
    group by all
),

final as (
    select
        project,
        billing_period,
        billing_currency,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        summed.billed_steps as billed_by_steps,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        summed.steps as effective_by_steps
    from charged
    full join summed using (project, billing_period, billing_currency)
    where charged.billed_cost is distinct from summed.billed_cost
        or charged.billed_cost is distinct from summed.billed_steps
        or charged.effective_cost is distinct from summed.effective_cost
        or charged.effective_cost is distinct from summed.steps
)

select * from final
