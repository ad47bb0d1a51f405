-- unused_capacity_reservation: A capacity reservation without instances in it.
-- rule: A26
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonEC2/UnusedBox:.*
-- part: compute
-- normalised by: days
-- disproved by: A recovery plan that needs the capacity.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- AWS meters the unused part itself.

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
        coalesce(sum(consumed_quantity) filter (true), 0) as hours
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter like 'UnusedBox:%'
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
    to_json({'hours': hours::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 0 and hours > 336)
