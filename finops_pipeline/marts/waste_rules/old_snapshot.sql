-- old_snapshot: A snapshot that the bill has had for at least twelve months.
-- rule: A10
-- version: 1
-- tier: A
-- reads: recent_usage, storage_costs
-- window: 12 months
-- meters: AmazonEC2/EBS:SnapshotUsage.*
-- part: all
-- normalised by: days
-- disproved by: An image or a retention rule that needs it (ec2:DescribeImages).
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- The cost is the upper limit of the saving: blocks that a later snapshot shares stay. A bill that
-- does not go back twelve months cannot tell the age.

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
        coalesce(sum(consumed_quantity) filter (true), 0) as gigabyte_months,
        ( select min(stored.billing_period) from storage_costs as stored where stored.source = recent_usage.source and stored.resource_id is not distinct from recent_usage.resource_id and stored.sub_account_id is not distinct from recent_usage.sub_account_id and stored.storage_class = 'Snapshot' ) as first_period,
        ( select min(stored.billing_period) from storage_costs as stored where stored.source = recent_usage.source ) as oldest_period,
        max(strftime(window_end, '%Y-%m')) as newest_period
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter like 'EBS:SnapshotUsage%' and meter not like '%Archive%'
    group by all
),

aged as (
    select
        *,
        coalesce(
            (newest_period[:4]::int * 12 + newest_period[6:]::int)
            - (first_period[:4]::int * 12 + first_period[6:]::int) >= 12, false
        ) as is_old
    from resource
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null and is_old then 'found' else 'unknown' end as state,
    case
        when gap is not null then gap
        when not is_old then 'The bill does not go back far enough to tell its age.'
    end as reason,
    case
        when gap is not null then gap_cure
        when not is_old then 'Ingest earlier months, or ec2:DescribeSnapshots.'
    end as cure,
    cost,
    case when gap is null and is_old then cost end as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'gigabyte_months': gigabyte_months::varchar, 'first_period': first_period::varchar, 'oldest_period': oldest_period::varchar, 'newest_period': newest_period::varchar})::varchar as evidence
from aged
where gap is not null or (cost > 0 and (is_old or first_period = oldest_period))
