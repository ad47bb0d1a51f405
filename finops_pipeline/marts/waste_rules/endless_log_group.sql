-- endless_log_group: A log group that keeps everything for ever.
-- rule: C05
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonCloudWatch/TimedStorage-ByteHrs
-- part: storage
-- normalised by: days
-- disproved by: A duty to keep the logs.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Without a retention, CloudWatch Logs never deletes. How much is older than a retention would
-- keep is not known, so the saving is not.

with

used as (
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
        window_start,
        window_end,
        coalesce(sum(own_cost), 0) as cost
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonCloudWatch'
        and meter = 'TimedStorage-ByteHrs'
    group by all
),

listed as (
    select
        used.*,
        resource.resource_id as short_id,
        resource.attributes,
        resource.created_at,
        resource.permission,
        gaps.reason is not null and used.gap is null as is_unlisted,
        coalesce(
            used.gap,
            gaps.reason,
            case
                when resource.resource_id is null then 'The inventory does not have this resource.'
            end
        ) as missing,
        case
            when used.gap is not null then used.gap_cure
            else coalesce(
                gaps.cure, 'Ask for a newer inventory: logs:DescribeLogGroups.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::Logs::LogGroup'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::Logs::LogGroup'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when not json_exists(attributes, '$.retention_days')
            then 'The inventory does not state its retention.'
        end as reason,
        case
            when missing is not null then missing_cure
            when not json_exists(attributes, '$.retention_days')
            then 'Allow ' || coalesce(permission, 'logs:DescribeLogGroups') || '.'
        end as cure
    from listed
),

finding as (
    select
        *,
        case when reason is null then null end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'retention_days': (attributes ->> '$.retention_days')::varchar,
                    'stored_bytes': (attributes ->> '$.stored_bytes')::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (attributes ->> '$.retention_days') is null
        )
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    case when not is_about_all then resource_id end as resource_id,
    project,
    billing_currency,
    case when reason is null then 'found' else 'unknown' end as state,
    coalesce(
        reason,
        'How much of it is older than a retention would keep is not known.'
    ) as reason,
    coalesce(
        cure,
        'Choose a retention for the log group.'
    ) as cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'medium' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
