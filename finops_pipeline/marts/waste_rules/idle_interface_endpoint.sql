-- idle_interface_endpoint: An interface endpoint that passes less than 1 MB in an hour.
-- rule: A03
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonVPC/VpcEndpoint-(Hours|Bytes)
-- part: hours
-- normalised by: days
-- disproved by: BytesProcessed of the endpoint, or traffic that must not leave the network
--   however little it is.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Bytes are compared with hours by multiplication: an endpoint without bytes divides by nothing.

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
        coalesce(sum(own_cost) filter (meter = 'VpcEndpoint-Hours'), 0) as cost,
        coalesce(sum(consumed_quantity) filter (meter = 'VpcEndpoint-Hours'), 0) as hours,
        coalesce(sum(consumed_quantity) filter (meter = 'VpcEndpoint-Bytes'), 0) as gigabytes
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonVPC' and meter in ('VpcEndpoint-Hours', 'VpcEndpoint-Bytes')
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
    'medium' as confidence,
    to_json({'hours': hours::varchar, 'gigabytes': gigabytes::varchar})::varchar as evidence
from resource
where gap is not null or (hours > 336 and gigabytes * 1000 < hours)
