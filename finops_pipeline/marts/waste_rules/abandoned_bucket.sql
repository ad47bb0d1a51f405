-- abandoned_bucket: A bucket with storage and hardly any request in 30 days.
-- rule: A18
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonS3/TimedStorage-.*
-- part: storage
-- normalised by: days
-- disproved by: Data that has to be kept, such as backups and logs.
-- price source: the resource's own cost
-- effort: low
-- risk: high
--
-- The bill does not tell whether the data is needed: the saving is unknown, and its upper limit is
-- the cost.

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
        coalesce(sum(own_cost) filter (meter like 'TimedStorage%'), 0) as cost,
        coalesce(sum(consumed_quantity) filter (meter = 'Requests-Tier1'), 0) as writes,
        coalesce(sum(consumed_quantity) filter (meter = 'Requests-Tier2'), 0) as reads,
        coalesce(sum(consumed_quantity) filter (meter like '%Out-Bytes'), 0) as gigabytes_out
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonS3'
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
    coalesce(gap, 'The bill does not tell whether the data is needed.') as reason,
    coalesce(gap_cure, 'The owner of the bucket, or s3:GetLifecycleConfiguration.') as cure,
    cost,
    null::decimal(38, 18) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'writes': writes::varchar, 'reads': reads::varchar, 'gigabytes_out': gigabytes_out::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 1 and writes < 100 and reads < 2000 and gigabytes_out < 1)
