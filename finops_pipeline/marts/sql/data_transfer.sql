-- data_transfer: daily costs of data transfer, by kind and direction.
-- grain: billing_period, charge_date, project, source, sub_account_id, region_id, service_name,
--        service_code, kind, direction, usage_type, resource_id, billing_currency
-- money: billed_cost, effective_cost, list_cost (billing currency)
-- reads: resource_daily_costs, projects
-- rows only from: resource_daily_costs where contains(usage_type, 'Bytes') or
--        contains(usage_type, 'DataXfer') or contains(usage_type, 'S3RTC') or service_code = 'AWSDataTransfer'
-- lookback: 0 months
-- check: data_transfer_is_usage
-- slice: project, billing_period
--
-- `rule` is the classification: the first line whose patterns match decides, so that each charge has
-- exactly one kind. An empty pattern matches everything.

with

rule as (
    select *
    from (
        values
            (1, '', 'VPCPeering-(In|Out)-Bytes', '', 'VPC peering'),
            (2, '', '', '^CreateVpnConnection', 'VPN'),
            (3, '', 'TransitGateway-.*Bytes', '', 'Transit gateway'),
            (4, '', 'NatGateway-.*Bytes', '', 'NAT gateway'),
            (5, '', 'VpcEndpoint-.*Bytes', '', 'VPC endpoint'),
            (6, '^AWSDirectConnect$', '', '', 'Direct Connect'),
            (7, '', 'DataXfer-(In|Out)', '', 'Direct Connect'),
            (8, '^AmazonCloudFront$', '', '', 'CloudFront'),
            (9, '', 'CloudFront-(In|Out)-Bytes', '', 'CloudFront'),
            (10, '', 'AWS-(In|Out)-A?Bytes|S3RTC', '', 'Inter-region'),
            (11, '', 'DataTransfer-(Regional|xAZ-In|xAZ-Out)-Bytes|InterZone-', '', 'Inter-AZ'),
            (12, '', 'DataTransfer-(In|Out)-[AO]?Bytes', '', 'Internet'),
            (13, '', '(^|-)(In|Out|Regional)-([A-Za-z0-9]+-)?Bytes', '', 'Other'),
            (14, '^AWSDataTransfer$', '', '', 'Other')
    ) as stated (position, service_pattern, usage_pattern, operation_pattern, kind)
),

project as (
    select * from projects
),

used as (
    select
        * replace (
            coalesce(service_code, '') as service_code,
            coalesce(usage_type, '') as usage_type,
            coalesce(operation, '') as operation
        )
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
        and (
            contains(usage_type, 'Bytes')
            or contains(usage_type, 'DataXfer')
            or contains(usage_type, 'S3RTC')
            or service_code = 'AWSDataTransfer'
        )
),

meter as (
    select distinct service_code, usage_type, operation from used
),

classified as (
    select
        meter.service_code,
        meter.usage_type,
        meter.operation,
        arg_min(rule.kind, rule.position) as kind
    from meter
    inner join rule
        on regexp_matches(meter.service_code, rule.service_pattern)
        and regexp_matches(meter.usage_type, rule.usage_pattern)
        and regexp_matches(meter.operation, rule.operation_pattern)
    group by all
),

moved as (
    select
        used.*,
        classified.kind,
        case
            when regexp_matches(used.usage_type, '(^|-)(In|IN)(-|$)|DataXfer-In') then 'in'
            when regexp_matches(used.usage_type, '(^|-)(Out|OUT)(-|$)|DataXfer-Out') then 'out'
        end as direction,
        -- AWS's terabytes and gigabytes are powers of 1,024; quantities too large for this
        -- arithmetic have no gigabytes
        case
            when consumed_unit = 'GB' then consumed_quantity
            when consumed_unit = 'TB' and abs(consumed_quantity) < 1000000000000
            then consumed_quantity * 1024
        end::decimal(38, 18) as gigabytes
    from used
    inner join classified using (service_code, usage_type, operation)
    where not contains(used.usage_type, 'ByteHrs')
),

summed as (
    select
        billing_period,
        charge_date,
        project,
        source,
        sub_account_id,
        region_id,
        service_name,
        nullif(service_code, '') as service_code,
        kind,
        direction,
        nullif(usage_type, '') as usage_type,
        resource_id,
        billing_currency,
        sum(charges)::bigint as charges,
        case when count(gigabytes) = count(*) then sum(gigabytes) end as gigabytes,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from moved
    group by all
),

final as (
    select
        summed.billing_period,
        summed.charge_date,
        summed.project,
        project.environment,
        project.business_unit,
        summed.* exclude (billing_period, charge_date, project)
    from summed
    left join project on project.project = summed.project
)

select * from final
