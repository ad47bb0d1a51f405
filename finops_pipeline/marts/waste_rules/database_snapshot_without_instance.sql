-- database_snapshot_without_instance: A manual database snapshot older than 30 days whose
--   instance is gone.
-- rule: C08
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonRDS/RDS:ChargedBackupUsage
-- part: all
-- normalised by: days
-- disproved by: A final snapshot that has to be kept.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Snapshots of the service itself go with their instance; only manual ones stay.

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
        and service_code = 'AmazonRDS'
        and meter = 'RDS:ChargedBackupUsage'
        and (resource_id is null or resource_id like '%:snapshot:%')
    group by all
),

gaps as (
    select
        source,
        sub_account_id,
        region_id,
        service_code,
        string_agg(reason, ' ' order by resource_type) as reason,
        string_agg(cure, ' ' order by resource_type) as cure
    from inventory_gaps
    where resource_type in ('AWS::RDS::DBSnapshot', 'AWS::RDS::DBInstance')
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
                gaps.cure, 'Ask for a newer inventory: rds:DescribeDBSnapshots.'
            )
        end as missing_cure
    from used
    left join gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::RDS::DBSnapshot'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

traced as (
    select
        listed.*,
        exists (
            select 1
            from listed_resources as resource
            where resource.resource_type = 'AWS::RDS::DBInstance'
                and resource.is_there
                and resource.account_id = listed.sub_account_id
                and resource.region_id = listed.region_id
                and resource.resource_id = (listed.attributes ->> '$.instance_id')
        ) as has_instance
    from listed
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when (attributes ->> '$.snapshot_type') is null
            then 'The inventory does not state its kind.'
            when (attributes ->> '$.instance_id') is null
            then 'The inventory does not state its instance.'
            when created_at is null
            then 'The inventory does not state its age.'
        end as reason,
        case
            when missing is not null then missing_cure
            when (attributes ->> '$.snapshot_type') is null
            then 'Allow ' || coalesce(permission, 'rds:DescribeDBSnapshots') || '.'
            when (attributes ->> '$.instance_id') is null
            then 'Allow ' || coalesce(permission, 'rds:DescribeDBSnapshots') || '.'
            when created_at is null
            then 'Ask for a newer inventory: rds:DescribeDBSnapshots.'
        end as cure
    from traced
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'instance_id': (attributes ->> '$.instance_id')::varchar,
                    'created_at': created_at::varchar,
                    'has_instance': has_instance::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (
                not has_instance
                and (attributes ->> '$.snapshot_type') = 'manual'
                and created_at < window_end - 30
            )
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
    reason,
    cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'medium' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
