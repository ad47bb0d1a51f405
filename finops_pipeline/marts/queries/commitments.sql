-- commitments: the reservations and Savings Plans of each source's newest month, with those that
--   end first at the top.
-- use case: Which commitments do we have, and which end soon?
-- grain: source, commitment_discount_id, billing_currency
-- money: hourly_commitment, recurring_hourly_cost (per hour; billing currency, exact decimal)
-- parameters: days = 100000
-- values: days = count
-- reads: commitments
--
-- Commitments with more than `days` days left are not shown. Commitments without an end in the bill
-- are always shown.

with

inventory as (
    select *, max(billing_period) over (partition by source) as newest_period
    from commitments
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        source,
        project,
        owner_account_id,
        commitment_discount_id,
        commitment_discount_type,
        offering,
        term,
        payment_option,
        region_id,
        instance_type,
        committed_quantity_per_hour,
        commitment_discount_unit,
        hourly_commitment,
        recurring_hourly_cost,
        billing_currency,
        start_time,
        end_time,
        days_left,
        as_of_day
    from inventory
    where billing_period = newest_period
        and (days_left <= $days::bigint or days_left is null)
    order by days_left nulls last, source, commitment_discount_id, billing_currency
)

select * from final
