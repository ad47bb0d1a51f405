-- unattached_volume: A volume that is attached to no instance.
-- rule: C01
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonEC2/EBS:Volume.*
-- part: all
-- normalised by: days
-- disproved by: A volume that is attached for a short time now and then, or kept as a backup.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- The bill cannot show this. A volume whose attachments the inventory does not state is unknown.
-- A snapshot before deleting it costs a part of the saving.

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
        and meter like 'EBS:Volume%'
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
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeVolumes.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::EC2::Volume'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::EC2::Volume'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when json_type(attributes, '$.attachments') is distinct from 'ARRAY'
            then 'The inventory does not state its attachments.'
        end as reason,
        case
            when missing is not null then missing_cure
            when json_type(attributes, '$.attachments') is distinct from 'ARRAY'
            then 'Allow ' || coalesce(permission, 'ec2:DescribeVolumes') || '.'
        end as cure
    from listed
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'attachments': json_array_length(attributes, '$.attachments')::varchar,
                    'size_gib': (attributes ->> '$.size_gib')::varchar,
                    'created_at': created_at::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or json_array_length(attributes, '$.attachments') = 0
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
    'high' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
