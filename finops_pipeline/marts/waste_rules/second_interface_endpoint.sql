-- second_interface_endpoint: A second interface endpoint for the same service in the same VPC.
-- rule: C09
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonVPC/VpcEndpoint-Hours
-- part: hours
-- normalised by: days
-- disproved by: Endpoints with different policies, or in zones that the first one does not
--   reach.
-- price source: the resource's own cost
-- effort: medium
-- risk: medium
--
-- The oldest endpoint of a VPC and service stays.

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
        and service_code = 'AmazonVPC'
        and meter = 'VpcEndpoint-Hours'
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
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeVpcEndpoints.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::EC2::VPCEndpoint'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::EC2::VPCEndpoint'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

paired as (
    select
        listed.*,
        (
            select min((resource.created_at, resource.resource_id))
            from listed_resources as resource
            where resource.is_there
                and resource.account_id = listed.sub_account_id
                and resource.region_id = listed.region_id
                and (resource.attributes ->> '$.endpoint_type') = 'Interface'
                and (resource.attributes ->> '$.vpc_id') = (listed.attributes ->> '$.vpc_id')
                and (resource.attributes ->> '$.service_name')
                = (listed.attributes ->> '$.service_name')
        ) as oldest
    from listed
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when (attributes ->> '$.service_name') is null
            then 'The inventory does not state its service.'
            when (attributes ->> '$.endpoint_type') is null
            then 'The inventory does not state its kind.'
            when (attributes ->> '$.vpc_id') is null
            then 'The inventory does not state its VPC.'
            when created_at is null
            then 'The inventory does not state its age.'
        end as reason,
        case
            when missing is not null then missing_cure
            when (attributes ->> '$.service_name') is null
            then 'Allow ' || coalesce(permission, 'ec2:DescribeVpcEndpoints') || '.'
            when (attributes ->> '$.endpoint_type') is null
            then 'Allow ' || coalesce(permission, 'ec2:DescribeVpcEndpoints') || '.'
            when (attributes ->> '$.vpc_id') is null
            then 'Allow ' || coalesce(permission, 'ec2:DescribeVpcEndpoints') || '.'
            when created_at is null
            then 'Ask for a newer inventory: ec2:DescribeVpcEndpoints.'
        end as cure
    from paired
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'service_name': (attributes ->> '$.service_name')::varchar,
                    'vpc_id': (attributes ->> '$.vpc_id')::varchar,
                    'oldest': oldest::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (
                (attributes ->> '$.endpoint_type') = 'Interface' and oldest < (created_at, short_id)
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
