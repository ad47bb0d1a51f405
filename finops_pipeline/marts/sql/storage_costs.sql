-- storage_costs: monthly costs of storage, by service, storage class, and bucket or volume.
-- grain: billing_period, project, source, sub_account_id, region_id, service_name, service_code,
--        storage_class, usage_type, resource_id, resource_name, billing_currency
-- money: billed_cost, effective_cost, list_cost (billing currency)
-- reads: resource_daily_costs, projects
-- rows only from: resource_daily_costs where consumed_unit in ('GB-Months', 'GB-month', 'GB-months')
--        or regexp_matches(usage_type, 'TimedStorage|EBS:VolumeUsage|EBS:Snapshot')
-- lookback: 0 months
-- check: storage_costs_equal_charges
-- slice: project, billing_period
--
-- Storage is what is metered by size and time. `rule` is the classification: the first line whose
-- patterns match decides, so that each charge has exactly one class.

with

rule as (
    select *
    from (
        values
            (1, 'S3', 'Staging', 'Staging'),
            (2, 'S3', 'TimedStorage-INT-DAA', 'Intelligent-Tiering Deep Archive Access'),
            (3, 'S3', 'TimedStorage-INT-AIA', 'Intelligent-Tiering Archive Instant Access'),
            (4, 'S3', 'TimedStorage-INT-AA', 'Intelligent-Tiering Archive Access'),
            (5, 'S3', 'TimedStorage-INT-IA', 'Intelligent-Tiering Infrequent Access'),
            (6, 'S3', 'TimedStorage-INT', 'Intelligent-Tiering Frequent Access'),
            (7, 'S3', 'TimedStorage-SIA', 'Standard-IA'),
            (8, 'S3', 'TimedStorage-ZIA', 'One Zone-IA'),
            (9, 'S3', 'TimedStorage-GIR', 'Glacier Instant Retrieval'),
            (10, 'S3', 'TimedStorage-GDA', 'Glacier Deep Archive'),
            (11, 'S3|Glacier', 'TimedStorage-Glacier', 'Glacier Flexible Retrieval'),
            (12, 'S3', 'TimedStorage-RRS', 'Reduced Redundancy'),
            (13, 'S3', 'TimedStorage-XZ', 'Express One Zone'),
            (14, 'Glacier', 'TimedStorage', 'Glacier Flexible Retrieval'),
            (15, '', 'EBS:SnapshotArchive', 'Snapshot archive'),
            (16, '', 'EBS:Snapshot', 'Snapshot'),
            (17, '', 'EBS:VolumeUsage\.gp3', 'gp3'),
            (18, '', 'EBS:VolumeUsage\.gp2', 'gp2'),
            (19, '', 'EBS:VolumeUsage\.piops', 'io1'),
            (20, '', 'EBS:VolumeUsage\.io2', 'io2'),
            (21, '', 'EBS:VolumeUsage\.st1', 'st1'),
            (22, '', 'EBS:VolumeUsage\.sc1', 'sc1'),
            (23, '', 'EBS:VolumeUsage', 'magnetic'),
            (24, '', 'BackupUsage|Backup-Storage|BackupStorage', 'Backup'),
            (25, '', 'Aurora:IO-OptimizedStorageUsage', 'Aurora I/O-Optimized'),
            (26, '', 'Aurora:StorageUsage', 'Aurora Standard'),
            (27, 'RDS', 'GP3-Storage', 'gp3'),
            (28, 'RDS', 'GP2-Storage', 'gp2'),
            (29, 'RDS', 'PIOPS-Storage-IO2', 'io2'),
            (30, 'RDS', 'PIOPS-Storage', 'io1'),
            (31, 'RDS', 'RDS:(Multi-AZ-)?StorageUsage', 'magnetic'),
            (32, '', 'IATimedStorage|TimedStorage-IA|IA-?ByteHrs', 'Infrequent Access'),
            (33, '', 'ArchiveTimedStorage|TimedStorage-Archive', 'Archive'),
            (34, '', 'TimedStorage', 'Standard'),
            (35, '', '', 'Other')
    ) as stated (position, service_pattern, usage_pattern, storage_class)
),

project as (
    select * from projects
),

stored as (
    select
        * replace (
            coalesce(service_code, '') as service_code,
            coalesce(usage_type, '') as usage_type
        )
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
        and (
            consumed_unit in ('GB-Months', 'GB-month', 'GB-months')
            or regexp_matches(
                usage_type, 'TimedStorage|EBS:VolumeUsage|EBS:Snapshot'
            )
        )
),

meter as (
    select distinct service_code, usage_type from stored
),

classified as (
    select
        meter.service_code,
        meter.usage_type,
        arg_min(rule.storage_class, rule.position) as storage_class
    from meter
    inner join rule
        on regexp_matches(meter.service_code, rule.service_pattern)
        and regexp_matches(meter.usage_type, rule.usage_pattern)
    group by all
),

sized as (
    select
        stored.*,
        classified.storage_class,
        case
            when consumed_unit in ('GB-Months', 'GB-month', 'GB-months') then consumed_quantity
        end as gigabyte_months
    from stored
    inner join classified using (service_code, usage_type)
),

summed as (
    select
        billing_period,
        project,
        source,
        sub_account_id,
        region_id,
        service_name,
        nullif(service_code, '') as service_code,
        storage_class,
        nullif(usage_type, '') as usage_type,
        resource_id,
        resource_name,
        billing_currency,
        sum(charges)::bigint as charges,
        case when count(gigabyte_months) = count(*) then sum(gigabyte_months) end
            as gigabyte_months,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from sized
    group by all
),

final as (
    select
        summed.billing_period,
        summed.project,
        project.environment,
        project.business_unit,
        summed.* exclude (billing_period, project)
    from summed
    left join project on project.project = summed.project
)

select * from final
