-- interzone_imbalance: A resource that receives or sends 20 times more between zones than the
--   other way.
-- rule: A06
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: (AmazonEC2|AWSDataTransfer)/DataTransfer-Regional-Bytes
-- part: transfer
-- normalised by: days
-- disproved by: Flow logs that show why the traffic crosses zones, such as replication.
-- price source: the resource's own cost
-- effort: high
-- risk: medium
--
-- The bill does not tell which part of the traffic could stay in its zone: the saving is unknown,
-- the cost is shown.

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
        coalesce(sum(consumed_quantity) filter (operation like '%-In'), 0) as gigabytes_in,
        coalesce(sum(consumed_quantity) filter (operation like '%-Out'), 0) as gigabytes_out
    from recent_usage
    where presence = 'present'
        and service_code in ('AmazonEC2', 'AWSDataTransfer') and meter = 'DataTransfer-Regional-Bytes'
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
    coalesce(gap, 'The bill does not tell which traffic could stay in its zone.') as reason,
    coalesce(gap_cure, 'VPC flow logs of the resource.') as cure,
    cost,
    null::decimal(38, 18) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'gigabytes_in': gigabytes_in::varchar, 'gigabytes_out': gigabytes_out::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 100 and (gigabytes_in > 20 * gigabytes_out or gigabytes_out > 20 * gigabytes_in))
