-- unused_load_balancer: A load balancer with fewer than 100 requests or connections on each of
--   14 days.
-- rule: B05
-- version: 1
-- tier: B
-- reads: inventory_gaps, listed_resources, recent_metrics, recent_usage
-- window: 14 complete days of CloudWatch, 30 of the bill
-- meters: AWSELB/(LoadBalancerUsage|LCUUsage)
-- part: all
-- normalised by: days
-- disproved by: Requests that come once a month.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- AWS Trusted Advisor's limit. CloudWatch says nothing about requests of a day without any, so a
-- balancer that is never used is unknown here; see A02 and C07.

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
        and (resource_id is null or regexp_matches(resource_id, ':loadbalancer/(app|net)/'))
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
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::ElasticLoadBalancingV2::LoadBalancer'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::ElasticLoadBalancingV2::LoadBalancer'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

measured as (
    select
        source,
        account_id,
        region_id,
        resource_id,
        case when count(*) filter (gap is null) = 0 then min(gap) end as unmeasured,
        min(gap_cure) as unmeasured_cure,
        max(days) as days,
        max(maximum_total) filter (metric_name = 'AWS/ApplicationELB RequestCount') as requests,
        max(maximum_total) filter (metric_name = 'AWS/NetworkELB NewFlowCount') as connections
    from recent_metrics
    where resource_type = 'AWS::ElasticLoadBalancingV2::LoadBalancer'
        and metric_name in (
            'AWS/ApplicationELB RequestCount',
            'AWS/NetworkELB NewFlowCount'
        )
    group by all
),

judged as (
    select
        listed.*,
        measured.* exclude (source, account_id, region_id, resource_id),
        measured.resource_id is not null as is_measured,
        is_unlisted or (missing is null and not bool_or(is_measured) over place) as is_about_all,
        case
            when missing is not null then missing
            when not is_measured
            then 'CloudWatch was not asked for requests or connections.'
            when unmeasured is not null then unmeasured
            when coalesce(requests, connections) is null
            then 'CloudWatch was asked for other statistics of requests or connections.'
        end as reason,
        case
            when missing is not null then missing_cure
            when not is_measured
            then 'Add CloudWatch of this account and region: cloudwatch:GetMetricData.'
            when unmeasured is not null
            then coalesce(
                unmeasured_cure,
                'Look at its targets (rule C07): CloudWatch has no row for a day without requests.'
            )
            when coalesce(requests, connections) is null
            then 'Ask CloudWatch again: cloudwatch:GetMetricData.'
        end as cure
    from listed
    left join measured
        on measured.source = listed.source
        and measured.account_id = listed.sub_account_id
        and measured.region_id = listed.region_id
        and measured.resource_id = listed.short_id
    window place as (partition by listed.source, listed.sub_account_id, listed.region_id)
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'days': days::varchar,
                    'most_requests_in_a_day': requests::varchar,
                    'most_connections_in_a_day': connections::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or coalesce(requests, connections) < 100
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
