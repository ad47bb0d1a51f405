-- recent_metrics: what CloudWatch says about the last 14 of a bill's complete days, and what not.
-- grain: source, account_id, region_id, resource_type, resource_id, metric_name
-- money: none
-- reads: recent_usage, resource_metrics, metric_coverage
--
-- A metric counts as known only if each of the 14 days has it: a missing day is a gap, not a zero.
-- Several sources may state the same day; it counts once.

with

bill as (
    select source, max(window_end) as window_end from recent_usage group by source
),

daily as (
    select
        account_id,
        region_id,
        resource_type,
        resource_id,
        metric_name,
        day,
        max(maximum) as maximum,
        max(total) as total,
        max(p99) as p99
    from resource_metrics
    where day > (select min(window_end) - 14 from bill)
    group by all
),

measured as (
    select
        bill.source,
        daily.account_id,
        daily.region_id,
        daily.resource_type,
        daily.resource_id,
        daily.metric_name,
        count(*) as days,
        max(daily.maximum) as maximum,
        avg(daily.maximum) as average_maximum,
        sum(daily.total) as total,
        max(daily.total) as maximum_total,
        max(daily.p99) as p99
    from daily
    inner join bill on daily.day between bill.window_end - 13 and bill.window_end
    group by all
),

asked as (
    select
        bill.source,
        coverage.account_id,
        coverage.region_id,
        coverage.resource_type,
        coverage.resource_id,
        coverage.metric_name,
        max(coverage.permission) as permission,
        max(coverage.reason) as reason,
        bool_or(coverage.state in ('failed', 'not asked')) as is_unanswered
    from metric_coverage as coverage
    cross join bill
    group by all
),

final as (
    select
        asked.source,
        asked.account_id,
        asked.region_id,
        asked.resource_type,
        asked.resource_id,
        asked.metric_name,
        coalesce(measured.days, 0) as days,
        measured.maximum,
        measured.average_maximum,
        measured.total,
        measured.maximum_total,
        measured.p99,
        case
            when coalesce(measured.days, 0) < 14
            then concat_ws(
                ' ',
                'CloudWatch has ' || coalesce(measured.days, 0) || ' of 14 days of '
                || asked.metric_name || '.',
                asked.reason
            )
        end as gap,
        case
            when coalesce(measured.days, 0) = 14 then null
            when asked.permission is not null then 'Allow ' || asked.permission || '.'
            when asked.is_unanswered then 'Ask CloudWatch again: cloudwatch:GetMetricData.'
        end as gap_cure
    from asked
    left join measured
        on measured.source = asked.source
        and measured.account_id = asked.account_id
        and measured.region_id = asked.region_id
        and measured.resource_type = asked.resource_type
        and measured.resource_id = asked.resource_id
        and measured.metric_name = asked.metric_name
)

select * from final
