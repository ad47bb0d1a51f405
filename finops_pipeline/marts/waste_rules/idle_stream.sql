-- idle_stream: A Kinesis stream with shards to which nothing is written.
-- rule: A27
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonKinesis/.*
-- part: all
-- normalised by: days
-- disproved by: IncomingRecords of the stream above zero.
-- price source: the resource's own cost
-- effort: low
-- risk: low
--
-- Shards cost by the hour, records when they are written. Reading is not metered.

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
        coalesce(sum(consumed_quantity) filter (meter like '%ShardHour'), 0) as shard_hours,
        coalesce(sum(consumed_quantity) filter (meter like '%PutRequestPayloadUnits'), 0) as units_written
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonKinesis'
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
    to_json({'shard_hours': shard_hours::varchar, 'units_written': units_written::varchar})::varchar as evidence
from resource
where gap is not null or (shard_hours > 336 and units_written = 0)
