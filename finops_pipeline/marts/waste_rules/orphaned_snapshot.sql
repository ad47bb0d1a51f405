-- orphaned_snapshot: A snapshot older than 90 days whose volume is gone and which no image uses.
-- rule: C04
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonEC2/EBS:SnapshotUsage.*
-- part: all
-- normalised by: days
-- disproved by: A backup that has to be kept.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Every volume and image of the account and region is compared, not only the newest ones. Copies
-- name no volume and are left out. Blocks that a later snapshot shares stay, so the cost is the
-- upper limit of the saving.

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
        and service_code = 'AmazonEC2'
        and meter like 'EBS:SnapshotUsage%'
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
    where resource_type in ('AWS::EC2::Snapshot', 'AWS::EC2::Volume', 'AWS::EC2::Image')
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
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeSnapshots.'
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
        and resource.resource_type = 'AWS::EC2::Snapshot'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

image as (
    select
        account_id,
        region_id,
        json_type(attributes, '$.snapshots') is distinct from 'ARRAY' as is_unknown,
        unnest(
            case
                when json_array_length(attributes, '$.snapshots') > 0
                then from_json(attributes -> '$.snapshots', '["varchar"]')
                else ['']
            end
        ) as snapshot_id
    from listed_resources
    where resource_type = 'AWS::EC2::Image' and is_there
),

traced as (
    select
        listed.*,
        exists (
            select 1
            from listed_resources as resource
            where resource.resource_type = 'AWS::EC2::Volume'
                and resource.is_there
                and resource.account_id = listed.sub_account_id
                and resource.region_id = listed.region_id
                and resource.resource_id = (listed.attributes ->> '$.volume_id')
        ) as has_volume,
        exists (
            select 1
            from image
            where image.account_id = listed.sub_account_id
                and image.region_id = listed.region_id
                and image.snapshot_id = listed.short_id
        ) as has_image,
        exists (
            select 1
            from image
            where image.account_id = listed.sub_account_id
                and image.region_id = listed.region_id
                and image.is_unknown
        ) as is_image_unknown
    from listed
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when (attributes ->> '$.volume_id') is null
            then 'The inventory does not state its volume.'
            when created_at is null
            then 'The inventory does not state its age.'
            when is_image_unknown
            then 'The inventory does not state the snapshots of an image.'
        end as reason,
        case
            when missing is not null then missing_cure
            when (attributes ->> '$.volume_id') is null
            then 'Allow ' || coalesce(permission, 'ec2:DescribeSnapshots') || '.'
            when created_at is null
            then 'Ask for a newer inventory: ec2:DescribeSnapshots.'
            when is_image_unknown
            then 'Ask for a newer inventory: ec2:DescribeImages.'
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
                    'volume_id': (attributes ->> '$.volume_id')::varchar,
                    'created_at': created_at::varchar,
                    'has_volume': has_volume::varchar,
                    'has_image': has_image::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (
                not has_volume
                and not has_image
                and (attributes ->> '$.volume_id') <> 'vol-ffffffff'
                and created_at < window_end - 90
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
    'low' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
