-- load_balancer_without_targets: A load balancer that has no targets.
-- rule: C07
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AWSELB/(LoadBalancerUsage|LCUUsage)
-- part: all
-- normalised by: days
-- disproved by: Targets that a deployment adds soon, or listeners that only redirect.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Classic load balancers are not listed and left out. None of its target groups has a target. A
-- group whose targets the inventory does not state makes it unknown.

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
        and service_code = 'AWSELB'
        and meter in ('LoadBalancerUsage', 'LCUUsage')
        and (resource_id is null or regexp_matches(resource_id, ':loadbalancer/(app|net|gwy)/'))
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
    where resource_type in (
            'AWS::ElasticLoadBalancingV2::LoadBalancer',
            'AWS::ElasticLoadBalancingV2::TargetGroup'
        )
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
                gaps.cure, 'Ask for a newer inventory: elasticloadbalancing:DescribeLoadBalancers.'
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
        and resource.resource_type = 'AWS::ElasticLoadBalancingV2::LoadBalancer'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

target_group as (
    select
        account_id,
        region_id,
        unnest(
            case
                when json_array_length(attributes, '$.load_balancers') > 0
                then from_json(attributes -> '$.load_balancers', '["varchar"]')
                else [null]
            end
        ) as balancer,
        json_type(attributes, '$.load_balancers') is distinct from 'ARRAY' as is_of_any,
        json_type(attributes, '$.targets') is distinct from 'ARRAY' as is_unknown,
        json_array_length(attributes, '$.targets') as targets
    from listed_resources
    where resource_type = 'AWS::ElasticLoadBalancingV2::TargetGroup' and is_there
),

targeted as (
    select
        listed.*,
        coalesce(groups.target_groups, 0) as target_groups,
        coalesce(groups.targets, 0) as targets,
        coalesce(groups.has_unknown_targets, false) or any_group.account_id is not null
            as has_unknown_targets
    from listed
    left join (
        select
            account_id,
            region_id,
            balancer,
            count(*) as target_groups,
            sum(targets) as targets,
            bool_or(is_unknown) as has_unknown_targets
        from target_group
        group by all
    ) as groups
        on groups.account_id = listed.sub_account_id
        and groups.region_id = listed.region_id
        and ends_with(groups.balancer, '/' || listed.short_id)
    -- a group that may belong to any balancer
    left join (select distinct account_id, region_id from target_group where is_of_any) as any_group
        on any_group.account_id = listed.sub_account_id
        and any_group.region_id = listed.region_id
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when has_unknown_targets
            then 'The inventory does not state the targets of its groups.'
        end as reason,
        case
            when missing is not null then missing_cure
            when has_unknown_targets
            then 'Allow elasticloadbalancing:DescribeTargetHealth.'
        end as cure
    from targeted
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'target_groups': target_groups::varchar,
                    'targets': targets::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or targets = 0
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
