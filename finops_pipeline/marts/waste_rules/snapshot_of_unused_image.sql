-- snapshot_of_unused_image: A snapshot of images that nobody has launched for 90 days.
-- rule: C10
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonEC2/EBS:SnapshotUsage.*
-- part: all
-- normalised by: days
-- disproved by: An image that autoscaling or other accounts need.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- The images and the snapshot are older than 90 days, too. AWS does not state the last launch of
-- every image: then it is unknown.

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
    where resource_type in ('AWS::EC2::Snapshot', 'AWS::EC2::Image')
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
        resource_id as image_id,
        created_at,
        try_cast(left(attributes ->> '$.last_launched_at', 10) as date) as launched_on,
        unnest(from_json(attributes -> '$.snapshots', '["varchar"]')) as snapshot_id
    from listed_resources
    where resource_type = 'AWS::EC2::Image' and is_there
),

imaged as (
    select
        listed.*,
        coalesce(images.images, 0) as images,
        coalesce(images.dated_images, 0) as dated_images,
        images.launched_on,
        images.newest_image,
        exists (
            select 1
            from listed_resources as other
            where other.resource_type = 'AWS::EC2::Image'
                and other.is_there
                and other.account_id = listed.sub_account_id
                and other.region_id = listed.region_id
                and json_type(other.attributes, '$.snapshots') is distinct from 'ARRAY'
        ) as is_image_unknown
    from listed
    left join (
        select
            account_id,
            region_id,
            snapshot_id,
            count(*) as images,
            count(launched_on) as dated_images,
            max(launched_on) as launched_on,
            max(created_at) as newest_image
        from image
        group by all
    ) as images
        on images.account_id = listed.sub_account_id
        and images.region_id = listed.region_id
        and images.snapshot_id = listed.short_id
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when is_image_unknown
            then 'The inventory does not state the snapshots of an image.'
            when images > 0 and dated_images < images
            then 'AWS does not state when its image was launched.'
        end as reason,
        case
            when missing is not null then missing_cure
            when is_image_unknown
            then 'Ask for a newer inventory: ec2:DescribeImages.'
            when images > 0 and dated_images < images
            then 'Look at the last launch of the image: ec2:DescribeImageAttribute.'
        end as cure
    from imaged
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'images': images::varchar,
                    'launched_on': launched_on::varchar,
                    'newest_image': newest_image::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (images > 0 and launched_on < window_end - 90 and newest_image < window_end - 90)
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
