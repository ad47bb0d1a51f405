-- late_delivery: a source that is ingested has delivered nothing for some days.
-- grain: alert_key
-- money: none
-- reads: data_status, expected_sources
-- values: days = 3
-- what to do: Test the access with finops source check TENANT/SOURCE, and look in the billing
--   console of AWS whether the export still runs. It recovers with the next delivery.
--
-- expected_sources has the sources that are active, have a location and have no last month behind
-- them. AWS updates the bill of a running month at least once a day.

with

expected as (
    select * from expected_sources
),

landed as (
    select
        source,
        max(left(landed_at, 10)::date) as newest_day
    from data_status
    group by source
),

compared as (
    select
        expected.source,
        landed.newest_day,
        date_diff('day', landed.newest_day, $day::date) as days_ago
    from expected
    left join landed on landed.source = expected.source
),

final as (
    select
        source as alert_key,
        case when days_ago > 3 * $days::decimal(9, 2) then 'critical' else 'warning' end
            as severity,
        'source ' || source as subject,
        strftime($day::date, '%Y-%m') as period,
        case
            when newest_day is null then 'Nothing has landed from source ' || source || ' yet.'
            else 'Nothing has landed from source ' || source || ' since ' || newest_day || '.'
        end as summary,
        days_ago::decimal(38, 18) as value,
        $days::decimal(38, 18) as threshold,
        'days' as unit,
        'Test the access to the source, and see whether AWS still delivers the export.' as cure
    from compared
    where newest_day is null or days_ago > $days::decimal(9, 2)
)

select * from final
