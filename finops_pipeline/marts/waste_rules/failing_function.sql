-- failing_function: A function that fails in more than 10 % of its invocations.
-- rule: B08
-- version: 2
-- tier: B
-- reads: inventory_gaps, listed_resources, recent_metrics, recent_usage
-- window: 14 complete days of CloudWatch, 30 of the bill
-- meters: AWSLambda/Lambda-GB-Second(-ARM)?
-- part: duration
-- normalised by: Requests
-- disproved by: Errors that are expected and cost nothing to repeat.
-- price source: the resource's own cost
-- effort: medium
-- risk: low
--
-- Failed invocations are paid and often repeated. How long they run is not known, so the saving
-- is not.

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
        coalesce(
            min(gap) filter (gap_cure is not null),
            min(gap),
            case when count(*) < 2 then 'CloudWatch was not asked for all of it.' end
        ) as unmeasured,
        min(gap_cure) as unmeasured_cure,
        min(days) as days,
        max(total) filter (metric_name = 'AWS/Lambda Invocations') as invocations,
        max(total) filter (metric_name = 'AWS/Lambda Errors') as errors
    from recent_metrics
    where resource_type = 'AWS::Lambda::Function'
        and metric_name in (
            'AWS/Lambda Invocations',
            'AWS/Lambda Errors'
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
            then 'CloudWatch was not asked for invocations and errors.'
            when unmeasured is not null then unmeasured
            when invocations is null or errors is null
            then 'CloudWatch was asked for other statistics of invocations and errors.'
        end as reason,
        case
            when missing is not null then missing_cure
            when not is_measured
            then 'Add CloudWatch of this account and region: cloudwatch:GetMetricData.'
            when unmeasured is not null
            then coalesce(
                unmeasured_cure,
                'Wait for invocations, or ask CloudWatch again: cloudwatch:GetMetricData.'
            )
            when invocations is null or errors is null
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
        case when reason is null then null end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'days': days::varchar,
                    'invocations': invocations::varchar,
                    'errors': errors::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or errors > 0.1 * invocations
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
        'How long failed invocations run is not known.'
    ) as reason,
    coalesce(
        cure,
        'See the Duration of failed invocations in its logs.'
    ) as cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'medium' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
