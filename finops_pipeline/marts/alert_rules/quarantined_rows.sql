-- quarantined_rows: rows of a delivery could not be read, so that their cost is missing.
-- grain: alert_key
-- money: none
-- reads: data_status
-- what to do: finops query TENANT "from quarantine" shows the rows and why each cannot be read. Ask
--   for a corrected delivery, or ingest one. It recovers when a delivery of the month has none.

with

status as (
    select * from data_status
),

counted as (
    select
        source,
        billing_period,
        max(rows_quarantined) as rows_left_out
    from status
    group by source, billing_period
),

final as (
    select
        source || '/' || billing_period as alert_key,
        'warning' as severity,
        'source ' || source as subject,
        billing_period as period,
        rows_left_out || case when rows_left_out = 1 then ' row' else ' rows' end
        || ' of source ' || source || ' for ' || billing_period || ' could not be read.' as summary,
        rows_left_out::decimal(38, 18) as value,
        0::decimal(38, 18) as threshold,
        'rows' as unit,
        'Look at the table quarantine, and have the delivery corrected.' as cure
    from counted
    where rows_left_out > 0
)

select * from final
