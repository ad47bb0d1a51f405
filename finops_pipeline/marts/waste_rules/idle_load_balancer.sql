-- idle_load_balancer: A load balancer without capacity units and bytes in 30 days.
-- rule: A02
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AWSELB/(LoadBalancerUsage|LCUUsage|DataProcessing-Bytes)
-- part: all
-- normalised by: days
-- disproved by: RequestCount, ActiveFlowCount or ProcessedBytes of the load balancer above zero.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Application and network load balancers bill LCU, classic ones bytes. Any of them means traffic.

with

resource as (
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
        coalesce(sum(own_cost) filter (true), 0) as cost,
        coalesce(sum(consumed_quantity) filter (meter = 'LoadBalancerUsage'), 0) as hours,
        coalesce(sum(consumed_quantity) filter (meter <> 'LoadBalancerUsage'), 0) as traffic
    from recent_usage
    where presence = 'present'
        and service_code = 'AWSELB' and meter in ('LoadBalancerUsage', 'LCUUsage', 'DataProcessing-Bytes')
    group by all
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null then 'found' else 'unknown' end as state,
    gap as reason,
    gap_cure as cure,
    cost,
    case when gap is null then cost end as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'high' as confidence,
    to_json({'hours': hours::varchar, 'traffic': traffic::varchar})::varchar as evidence
from resource
where gap is not null or (hours > 336 and traffic < 0.01)
