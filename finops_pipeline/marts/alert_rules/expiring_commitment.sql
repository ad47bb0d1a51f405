-- expiring_commitment: a reservation or Savings Plan ends soon, and its usage gets more expensive.
-- grain: alert_key
-- money: value of none
-- reads: commitments
-- values: days = 30
-- what to do: finops queries run TENANT commitments lists them with what they cover. Decide whether
--   to renew before the day. It recovers when the commitment has ended.

with

newest as (
    select * from commitments
    qualify billing_period = max(billing_period) over (partition by source)
),

remaining as (
    select
        *,
        date_diff('day', $day::date, end_time::date) as days_to_end
    from newest
    where end_time is not null
),

final as (
    select
        source || '/' || commitment_discount_id as alert_key,
        case when days_to_end <= 7 then 'critical' else 'warning' end as severity,
        commitment_discount_id as subject,
        billing_period as period,
        coalesce(commitment_discount_type, 'Commitment') || ' ' || commitment_discount_id
        || ' ends on ' || end_time::date || '.' as summary,
        days_to_end::decimal(38, 18) as value,
        $days::decimal(38, 18) as threshold,
        'days' as unit,
        'Decide whether to renew it before it ends.' as cure
    from remaining
    where days_to_end between 0 and $days::decimal(9, 2)
    qualify row_number() over (partition by alert_key order by end_time desc) = 1
)

select * from final
