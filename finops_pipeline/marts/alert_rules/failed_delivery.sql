-- failed_delivery: a delivery was refused, so that a month is missing or stays as it was.
-- grain: alert_key
-- money: none
-- reads: data_status
-- what to do: Read the reason with finops status TENANT MONTH, and follow what it says there; then
--   run finops ingest TENANT. It recovers with the next delivery of the month that is accepted.

with

status as (
    select * from data_status
),

final as (
    select
        source || '/' || billing_period as alert_key,
        case when state = 'refused' then 'critical' else 'warning' end as severity,
        'source ' || source as subject,
        billing_period as period,
        'A delivery of source ' || source || ' for ' || billing_period || ' was not accepted, so '
        || case
            when state = 'refused' then 'the month has no charges yet'
            else 'the delivery before it stays published'
        end
        || coalesce(': ' || max(reason), '.') as summary,
        null::decimal(38, 18) as value,
        null::decimal(38, 18) as threshold,
        null::varchar as unit,
        'Read the reason, correct the delivery, and ingest it.' as cure
    from status
    where state in ('refused', 'outdated')
    group by source, billing_period, state
)

select * from final
