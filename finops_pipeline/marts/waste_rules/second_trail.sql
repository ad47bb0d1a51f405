-- second_trail: A CloudTrail trail that records management events a second time.
-- rule: A30
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AWSCloudTrail/PaidEventsRecorded
-- part: all
-- normalised by: days
-- disproved by: A rule that requires a trail of its own in the account.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- The first copy of management events costs nothing; AWS meters further ones.

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
        coalesce(sum(consumed_quantity) filter (true), 0) as events
    from recent_usage
    where presence = 'present'
        and service_code = 'AWSCloudTrail' and meter = 'PaidEventsRecorded'
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
    to_json({'events': events::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 0)
