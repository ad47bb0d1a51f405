-- aurora_io_optimized: An Aurora cluster that pays more for I/O than for storage.
-- rule: A24
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonRDS/Aurora:StorageIOUsage
-- part: all
-- normalised by: days
-- disproved by: The cost of the cluster's instances, which rises by almost a third.
-- price source: the resource's own cost
-- effort: low
-- risk: low
--
-- The choice is one of each cluster, never of an account. The bill does not say which instances
-- belong to a cluster, so whether it saves anything is unknown.

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
        coalesce(sum(own_cost) filter (meter = 'Aurora:StorageIOUsage'), 0) as io_cost,
        coalesce(sum(own_cost) filter (meter = 'Aurora:StorageUsage'), 0) as storage_cost
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonRDS' and meter in ('Aurora:StorageIOUsage', 'Aurora:StorageUsage')
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
    'unknown' as state,
    coalesce(gap, 'The bill does not say which instances belong to the cluster.') as reason,
    coalesce(gap_cure, 'rds:DescribeDBClusters') as cure,
    cost,
    null::decimal(38, 18) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'io_cost': io_cost::varchar, 'storage_cost': storage_cost::varchar})::varchar as evidence
from resource
where gap is not null or (io_cost > storage_cost and io_cost > 10)
