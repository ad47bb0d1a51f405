-- incomplete_uploads: A bucket in which more multipart uploads begin than end.
-- rule: A19
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonS3/Requests-Tier1
-- part: uploads
-- normalised by: days
-- disproved by: A lifecycle rule that aborts incomplete uploads.
-- price source: the resource's own cost
-- effort: low
-- risk: low
--
-- Parts of uploads that never end stay and cost as much as objects. How much they hold is not in
-- the bill.

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
        coalesce(sum(own_cost) filter (operation in ('InitiateMultipartUpload', 'UploadPart')), 0) as cost,
        coalesce(sum(consumed_quantity) filter (operation = 'InitiateMultipartUpload'), 0) as begun,
        coalesce(sum(consumed_quantity) filter (operation in ('CompleteMultipartUpload', 'AbortMultipartUpload')), 0) as ended
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonS3' and meter = 'Requests-Tier1'
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
    coalesce(gap, 'The bill does not tell how much the parts hold.') as reason,
    coalesce(gap_cure, 's3:ListBucketMultipartUploads') as cure,
    cost,
    null::decimal(38, 18) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'begun': begun::varchar, 'ended': ended::varchar})::varchar as evidence
from resource
where gap is not null or (begun - ended >= 10)
