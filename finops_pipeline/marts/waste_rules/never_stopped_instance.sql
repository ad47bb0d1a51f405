-- never_stopped_instance: An instance for development or tests that runs at night and on
--   weekends.
-- rule: A16
-- version: 2
-- tier: A
-- reads: projects, recent_usage
-- window: 30 complete days
-- meters: AmazonEC2/BoxUsage:.*
-- part: compute
-- normalised by: days
-- disproved by: Jobs at night, or users in other time zones.
-- price source: the resource's own cost, for 108 of the 168 hours of a week
-- effort: medium
-- risk: medium
--
-- It could be stopped outside twelve hours of five days. Hours that a commitment covers save
-- nothing.

with

resource as (
    select
        source,
        sub_account_id,
        region_id,
        service_code,
        resource_id,
        project,
        billing_currency,
        gap,
        gap_cure,
        coalesce(sum(own_cost) filter (true), 0) as cost,
        coalesce(sum(consumed_quantity) filter (true), 0) as hours
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter like 'BoxUsage%' and spot_quantity = 0 and covered_quantity = 0 and project in ( select projects.project from projects where lower(projects.environment) in ('dev', 'development', 'test', 'testing', 'qa', 'staging', 'sandbox') )
    group by all
),

saved as (
    select
        *,
        try(
            ((cost::decimal(38, 12) * 1000000000000)::hugeint * 108 // 168)::decimal(26, 0)
            * 0.000000000001::decimal(12, 12)
        )::decimal(38, 18) as saving
    from resource
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null and saving is not null then 'found' else 'unknown' end as state,
    case
        when gap is not null then gap
        when saving is null then 'The amounts are too large for an exact saving.'
    end as reason,
    case
        when gap is not null then gap_cure
        when saving is null then 'Take 108 of 168 parts of the cost.'
    end as cure,
    cost,
    case when gap is null then saving end as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'hours': hours::varchar})::varchar as evidence
from saved
where gap is not null or (hours >= 684 and cost > 0)
