-- idle_transit_gateway_attachment: A transit gateway attachment that less than 1 GB passes
--   through in 30 days.
-- rule: A29
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonVPC/TransitGateway-(Hours|Bytes)
-- part: all
-- normalised by: days
-- disproved by: BytesOut of the attachment above zero, or a standby for failover.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- NAT gateways have other meters and another rule.

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
        coalesce(sum(consumed_quantity) filter (meter = 'TransitGateway-Hours'), 0) as hours,
        coalesce(sum(consumed_quantity) filter (meter = 'TransitGateway-Bytes'), 0) as gigabytes
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonVPC' and meter in ('TransitGateway-Hours', 'TransitGateway-Bytes')
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
where gap is not null or (hours > 336 and gigabytes < 1)
