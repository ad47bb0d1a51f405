-- oversized_instance: A Linux instance that needs less than 40 % of its processor and memory.
-- rule: B02
-- version: 2
-- tier: B
-- reads: inventory_gaps, listed_resources, prices, recent_metrics, recent_usage
-- window: 14 complete days of CloudWatch, 30 of the bill
-- meters: AmazonEC2/BoxUsage:[a-z0-9-]+\.(xlarge|2xlarge|4xlarge|8xlarge|16xlarge|24xlarge)
-- part: compute
-- normalised by: Hours
-- disproved by: A need for the network or disk throughput of the larger size.
-- price source: the same bill's list price of the other meter, else `prices`
-- effort: medium
-- risk: medium
--
-- The next smaller size has half of both, so that 40 % become 80 %. Processor and memory have to
-- be known; the memory needs the CloudWatch agent. Burstable types are left out, because their
-- credits are not known; so are Spot and what a commitment covers.

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
        split_part(meter, ':', 2) as instance_type,
        regexp_extract(meter, '^(.+\.)', 1) || case split_part(meter, '.', 2)
            when 'xlarge' then 'large'
            when '2xlarge' then 'xlarge'
            when '4xlarge' then '2xlarge'
            when '8xlarge' then '4xlarge'
            when '16xlarge' then '8xlarge'
            when '24xlarge' then '12xlarge'
        end as price_code,
        coalesce(sum(consumed_quantity), 0) as quantity,
        coalesce(sum(list_cost), 0) as list_cost,
        coalesce(sum(own_cost), 0) as cost
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2'
        and operation = 'RunInstances'
        and spot_quantity = 0
        and covered_quantity = 0
        and regexp_matches(meter, '^BoxUsage:[a-su-z][a-z0-9-]*\.(xlarge|(2|4|8|16|24)xlarge)$')
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
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeInstances.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::EC2::Instance'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::EC2::Instance'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

measured as (
    select
        source,
        account_id,
        region_id,
        resource_id,
        coalesce(
            min(gap) filter (gap_cure is not null),
            min(gap),
            case when count(*) < 2 then 'CloudWatch was not asked for all of it.' end
        ) as unmeasured,
        min(gap_cure) as unmeasured_cure,
        min(days) as days,
        max(p99) filter (metric_name = 'AWS/EC2 CPUUtilization') as cpu_p99,
        max(p99) filter (metric_name = 'CWAgent mem_used_percent') as memory_p99
    from recent_metrics
    where resource_type = 'AWS::EC2::Instance'
        and metric_name in (
            'AWS/EC2 CPUUtilization',
            'CWAgent mem_used_percent'
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
            when (attributes ->> '$.instance_type') is null
            then 'The inventory does not state its type.'
            when not is_measured
            then 'CloudWatch was not asked for processor and memory.'
            when unmeasured is not null then unmeasured
            when cpu_p99 is null or memory_p99 is null
            then 'CloudWatch was asked for other statistics of processor and memory.'
        end as reason,
        case
            when missing is not null then missing_cure
            when (attributes ->> '$.instance_type') is null
            then 'Allow ' || coalesce(permission, 'ec2:DescribeInstances') || '.'
            when not is_measured
            then 'Add CloudWatch of this account and region: cloudwatch:GetMetricData.'
            when unmeasured is not null
            then coalesce(
                unmeasured_cure,
                'Install the CloudWatch agent, which sends mem_used_percent, or wait for more days.'
            )
            when cpu_p99 is null or memory_p99 is null
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

priced as (
    select
        judged.*,
        prices.price,
        prices.source_url,
        cost_at_price(judged.quantity, prices.price) as new_cost,
        saving_at_own_rate(cost, list_cost, new_cost) as possible,
        case
            when prices.price is null
            then 'No price of ' || judged.price_code || ' is known for this region.'
            when list_cost <= 0
            then 'The bill has no list price of this usage, with which the saving is computed.'
            when possible is null then 'The amounts are too large for an exact saving.'
        end as unpriced,
        case
            when prices.price is null
            then 'Add the price to the list of the installation (FINOPS_PRICES).'
            when list_cost <= 0 then 'Add the columns of public on-demand costs to the export.'
            when possible is null then 'Compare list_cost and new_cost of the evidence.'
        end as unpriced_cure
    from judged
    left join prices
        on prices.service_code = judged.service_code
        and prices.price_code = judged.price_code
        and prices.region_id = judged.region_id
        and prices.currency = judged.billing_currency
),

finding as (
    select
        *,
        case when reason is null then possible end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'days': days::varchar,
                    'cpu_p99_percent': cpu_p99::varchar,
                    'memory_p99_percent': memory_p99::varchar,
                    'quantity': quantity::varchar,
                    'list_cost': list_cost::varchar,
                    'new_cost': new_cost::varchar,
                    'price_code': price_code::varchar
                }
            )::varchar
        end as evidence
    from priced
    where cost > 0
        and (
            reason is not null
            or (
                cpu_p99 < 40
                and memory_p99 < 40
                and (attributes ->> '$.instance_type') = instance_type
                and coalesce(possible > 0, true)
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
    case
        when reason is null and possible is not null then 'found' else 'unknown'
    end as state,
    coalesce(reason, unpriced) as reason,
    coalesce(cure, case when reason is null then unpriced_cure end) as cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    case when reason is null then price end as price,
    case when reason is null then source_url end as price_source,
    'medium' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
