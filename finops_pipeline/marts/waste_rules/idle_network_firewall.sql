-- idle_network_firewall: A firewall endpoint that passes less than 1 MB in an hour.
-- rule: A04
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AWSNetworkFirewall/.*
-- part: hours
-- normalised by: days
-- disproved by: ReceivedPackets of the endpoint, or a policy that requires it.
-- price source: the resource's own cost
-- effort: low
-- risk: high
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
        coalesce(sum(own_cost) filter (meter like '%Endpoint-Hour%'), 0) as cost,
        coalesce(sum(consumed_quantity) filter (meter like '%Endpoint-Hour%'), 0) as hours,
        coalesce(sum(consumed_quantity) filter (meter like '%Traffic-GB%'), 0) as gigabytes
    from recent_usage
    where presence = 'present'
        and service_code = 'AWSNetworkFirewall'
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
