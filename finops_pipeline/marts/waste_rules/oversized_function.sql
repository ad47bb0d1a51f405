-- oversized_function: A function with more than twice the memory that it uses.
-- rule: B07
-- version: 2
-- tier: B
-- reads: inventory_gaps, listed_resources, recent_metrics, recent_usage
-- window: 14 complete days of CloudWatch, 30 of the bill
-- meters: AWSLambda/Lambda-GB-Second(-ARM)?
-- part: duration
-- normalised by: Requests
-- disproved by: A function that takes longer with less memory, because it also gets less of the
--   processor.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- The new size is a quarter above the highest use, in steps of 64 MB. A GB-second costs the
-- same, so the saving is in proportion to the memory.

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
        and service_code = 'AWSLambda'
        and meter in ('Lambda-GB-Second', 'Lambda-GB-Second-ARM')
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
                gaps.cure, 'Ask for a newer inventory: lambda:ListFunctions.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::Lambda::Function'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::Lambda::Function'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

measured as (
    select
        source,
        account_id,
        region_id,
        resource_id,
        min(gap) as unmeasured,
        min(gap_cure) as unmeasured_cure,
        min(days) as days,
        max(p99) as memory_p99,
        max(maximum) as memory_peak
    from recent_metrics
    where resource_type = 'AWS::Lambda::Function'
        and metric_name = 'LambdaInsights used_memory_max'
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
            when (attributes ->> '$.memory_mib') is null
            then 'The inventory does not state its memory.'
            when not is_measured
            then 'CloudWatch was not asked for used memory.'
            when unmeasured is not null then unmeasured
            when memory_p99 is null or memory_peak is null
            then 'CloudWatch was asked for other statistics of used memory.'
        end as reason,
        case
            when missing is not null then missing_cure
            when (attributes ->> '$.memory_mib') is null
            then 'Allow ' || coalesce(permission, 'lambda:ListFunctions') || '.'
            when not is_measured
            then 'Add CloudWatch of this account and region: cloudwatch:GetMetricData.'
            when unmeasured is not null
            then coalesce(
                unmeasured_cure,
                'Switch on Lambda Insights, which sends used_memory_max, or wait for more days.'
            )
            when memory_p99 is null or memory_peak is null
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

sized as (
    select
        *,
        try_cast(attributes ->> '$.memory_mib' as bigint) as memory,
        greatest(128, try_cast(ceil(memory_peak * 1.25 / 64) as bigint) * 64) as needed_memory,
        try(
            (
                cost::decimal(24, 12)
                * (
                    ((memory - needed_memory)::hugeint * 1000000000000 // nullif(memory, 0))
                    ::decimal(14, 0)
                    * 0.000000000001::decimal(12, 12)
                )::decimal(14, 12)
            )::decimal(38, 18)
        )::decimal(38, 18) as possible
    from judged
),

finding as (
    select
        *,
        case when reason is null then possible end as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'days': days::varchar,
                    'memory_mib': memory::varchar,
                    'memory_p99_mb': memory_p99::varchar,
                    'memory_peak_mb': memory_peak::varchar,
                    'new_memory_mib': needed_memory::varchar
                }
            )::varchar
        end as evidence
    from sized
    where cost > 0
        and (
            reason is not null
            or (memory > 2 * memory_p99 and needed_memory < memory)
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
    coalesce(
        reason,
        case when possible is null then 'The amounts are too large for an exact saving.' end
    ) as reason,
    coalesce(
        cure,
        case
            when reason is null and possible is null
            then 'Take the part of the cost that new_memory_mib leaves over.'
        end
    ) as cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
