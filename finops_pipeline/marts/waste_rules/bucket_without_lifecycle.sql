-- bucket_without_lifecycle: A bucket without a lifecycle rule that is enabled.
-- rule: C06
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonS3/TimedStorage-.*
-- part: storage
-- normalised by: days
-- disproved by: Objects that are all read often, or Intelligent-Tiering.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Old versions, incomplete uploads and cold objects stay for ever. An inventory does not state
-- how much that is.

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
        and service_code = 'AmazonS3'
        and meter like 'TimedStorage-%'
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
                gaps.cure, 'Ask for a newer inventory: s3:ListAllMyBuckets, s3:GetLifecycleConfiguration.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::S3::Bucket'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::S3::Bucket'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when not json_exists(attributes, '$.lifecycle_rules')
            then 'The inventory does not state its lifecycle.'
        end as reason,
        case
            when missing is not null then missing_cure
            when not json_exists(attributes, '$.lifecycle_rules')
            then 'Allow ' || coalesce(permission, 's3:GetLifecycleConfiguration') || '.'
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
                    'rules': coalesce(json_array_length(attributes, '$.lifecycle_rules'), 0)::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (
                not coalesce(
                    contains(json_extract_string(attributes, '$.lifecycle_rules[*].status'), 'Enabled'), false
                )
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
    coalesce(
        reason,
        'How much of it a lifecycle would remove is not known.'
    ) as reason,
    coalesce(
        cure,
        'Add a lifecycle rule, or look at S3 Storage Lens.'
    ) as cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
