-- commitment_hours_equal_charges: commitments whose hours are not the sum of their charges.
-- reads: commitment_utilization_hourly, resource_daily_costs
-- rows only from: resource_daily_costs where commitment_discount_id is not null;
--        commitment_utilization_hourly
-- on failure: refuse

with

charged as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(effective_cost) filter (commitment_discount_status = 'Used') as used_cost,
        sum(effective_cost) filter (commitment_discount_status = 'Unused') as unused_cost,
        sum(billed_cost) filter (charge_category = 'Purchase') as billed_cost
    from resource_daily_costs
    where commitment_discount_id is not null
        and charge_class is null
        and line_item_type is distinct from 'Refund'
        and charge_category in ('Purchase', 'Usage')
    group by all
),

summed as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(used_cost) as used_cost,
        sum(unused_cost) as unused_cost,
        sum(coalesce(fees_billed, 0) + coalesce(upfront_billed, 0)) as billed_cost
    from commitment_utilization_hourly
    group by all
),

final as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        charged.used_cost as used_by_charges,
        summed.used_cost as used_by_mart,
        charged.unused_cost as unused_by_charges,
        summed.unused_cost as unused_by_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart
    from charged
    full join summed using (billing_period, source, commitment_discount_id, billing_currency)
    where charged.charges is distinct from summed.charges
        or charged.used_cost is distinct from summed.used_cost
        or charged.unused_cost is distinct from summed.unused_cost
        or coalesce(charged.billed_cost, 0) is distinct from summed.billed_cost
)

select * from final
