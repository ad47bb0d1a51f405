-- idle_nat_gateway: A NAT gateway that less than 1 GB passes through in 30 days.
-- rule: A01
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonEC2/NatGateway-(Hours|Bytes)
-- part: all
-- normalised by: days
-- disproved by: BytesOutToDestination of the gateway above zero, or a standby that must exist
--   for failover.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- Transit gateways have other meters and another rule. A gateway without any bytes has no line of
-- bytes, so the sum counts as zero instead of being divided by.

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
        coalesce(sum(consumed_quantity) filter (meter = 'NatGateway-Hours'), 0) as hours,
        coalesce(sum(consumed_quantity) filter (meter = 'NatGateway-Bytes'), 0) as gigabytes
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter in ('NatGateway-Hours', 'NatGateway-Bytes')
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
    to_json({'hours': hours::varchar, 'gigabytes': gigabytes::varchar})::varchar as evidence
from resource
where gap is not null or (hours > 336 and gigabytes < 1)
