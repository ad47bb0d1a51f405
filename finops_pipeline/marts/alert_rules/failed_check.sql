-- failed_check: a check of the published tables found rows.
-- grain: alert_key
-- money: none
-- reads: check_results
-- what to do: finops check TENANT shows the rows. If the bill is right, it is a defect of
--   finops_pipeline: report it with these rows. It recovers when the month is built without them.

with

result as (
    select * from check_results
),

final as (
    select
        check_name || '/' || billing_period as alert_key,
        'warning' as severity,
        'check ' || check_name as subject,
        billing_period as period,
        'The check ' || check_name || ' found ' || rows
        || case when rows = 1 then ' row' else ' rows' end || ' in ' || billing_period || ': '
        || says as summary,
        rows::decimal(38, 18) as value,
        0::decimal(38, 18) as threshold,
        'rows' as unit,
        'Look at the rows of the check, and do not rely on the tables that it is about.' as cure
    from result
    where state = 'failed'
)

select * from final
