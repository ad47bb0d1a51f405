-- utilization_is_explained: commitments whose use in a month is not the sum of its hours, or is
--   above 100 % without a note.
-- reads: commitment_utilization, commitment_utilization_hourly
-- rows only from: commitment_utilization_hourly; commitment_utilization
-- on failure: refuse

with

hourly as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        coalesce(sum(used_cost), 0) as used_cost,
        coalesce(sum(unused_cost), 0) as unused_cost,
        sum(committed_quantity) as total_quantity
    from commitment_utilization_hourly
    group by all
    having count(fees_billed) + count(used_cost) + count(unused_cost) > 0
),

final as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        hourly.used_cost as used_by_hours,
        month.used_cost as used_by_mart,
        hourly.unused_cost as unused_by_hours,
        month.unused_cost as unused_by_mart,
        month.used_percent,
        month.used_quantity_percent,
        month.note
    from hourly
    full join commitment_utilization as month
        using (billing_period, source, commitment_discount_id, billing_currency)
    where hourly.used_cost is distinct from month.used_cost
        or hourly.unused_cost is distinct from month.unused_cost
        or hourly.total_quantity is distinct from month.total_quantity
        or (month.used_percent > 100 or month.used_quantity_percent > 100) and month.note is null
)

select * from final
