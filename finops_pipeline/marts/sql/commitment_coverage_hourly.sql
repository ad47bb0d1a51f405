-- commitment_coverage_hourly: usage that commitments covered or could have covered, by hour.
-- grain: billing_period, period_start, period_hours, project, source, sub_account_id, region_id,
--        service_family, instance_family, savings_plans, is_reservable, consumed_unit,
--        billing_currency
-- money: eligible_list_cost, covered_list_cost, reservation_list_cost, savings_plan_list_cost (at
--        public on-demand prices); on_demand_cost (billed), covered_cost (amortized)
-- reads: costs
-- lookback: 0 months
-- check: coverage_equals_charges
-- slice: project, billing_period
--
-- Coverage = covered / eligible at list prices. Covered usage is what a commitment paid for;
-- eligible usage is covered usage plus on-demand usage for which AWS sells commitments, without
-- Spot. Fees are not counted. Periods are those of the bill: an hour, or a day in a daily report.
-- Decision 100 lists which usage is eligible.

with

charge as not materialized (
    select
        billing_period,
        ChargePeriodStart as period_start,
        date_diff('second', ChargePeriodStart, ChargePeriodEnd) // 3600 as period_hours,
        project,
        x_Source as source,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        x_ServiceCode as service_code,
        coalesce(x_UsageType, '') as usage_type,
        x_InstanceType as stated_type,
        CommitmentDiscountStatus is not distinct from 'Used' as is_covered,
        CommitmentDiscountType as commitment_type,
        ConsumedUnit as consumed_unit,
        BillingCurrency as billing_currency,
        ConsumedQuantity as quantity,
        ListCost as list_cost,
        BilledCost as billed_cost,
        EffectiveCost as effective_cost,
        -- the charge's own cost, used in place of a public price that the bill does not state
        case
            when x_LineItemType is null then coalesce(contains(x_FilledCosts, 'ListCost'), false)
            else x_PublicOnDemandCost is null or PricingCurrency <> BillingCurrency
        end as is_without_list_price
    from costs
    where ChargeCategory = 'Usage'
        and ChargeClass is null
        and x_RowKind = 'line'
        and x_ParentResourceId is null
        and (
            x_LineItemType is null
            or x_LineItemType in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
        )
        and CommitmentDiscountStatus is distinct from 'Unused'
        and PricingCategory is distinct from 'Dynamic'
        and (
            CommitmentDiscountStatus = 'Used'
            or x_ServiceCode in (
                'AmazonEC2', 'AmazonECS', 'AmazonEKS', 'AWSLambda', 'AmazonSageMaker',
                'AmazonRDS', 'AmazonElastiCache', 'AmazonMemoryDB', 'AmazonES', 'AmazonRedshift',
                'AmazonDynamoDB', 'AmazonDocDB', 'AmazonNeptune', 'AmazonMCS', 'AmazonTimestream',
                'AWSDatabaseMigrationSvc'
            )
        )
),

-- patterns are compared once for each meter, not for each charge
meter as (
    select distinct service_code, usage_type, stated_type, is_covered from charge
),

-- the first family that matches
named as (
    select
        *,
        case
            when service_code = 'AmazonEC2' and (
                is_covered
                or regexp_matches(usage_type, '(Box|Dedicated|Host)Usage|UnusedBox|UnusedDed')
            )
            then 'EC2 Instance'
            when service_code in ('AmazonECS', 'AmazonEKS') and contains(usage_type, 'Fargate')
            then 'Fargate'
            when service_code = 'AWSLambda' and regexp_matches(
                usage_type, 'Lambda-(Provisioned-)?GB-Second|Lambda-Provisioned-Concurrency'
            )
            then 'Lambda'
            when service_code = 'AmazonSageMaker' and contains(usage_type, ':ml.') then 'SageMaker'
            when service_code = 'AmazonRDS' and regexp_matches(usage_type, 'Serverless')
            then 'Aurora Serverless'
            when service_code = 'AmazonRDS' and regexp_matches(
                usage_type, '(Instance|Multi-AZ|Multi-AZCluster)Usage'
            )
            then 'RDS'
            when service_code = 'AmazonElastiCache' and contains(usage_type, 'NodeUsage')
            then 'ElastiCache'
            when service_code = 'AmazonMemoryDB' and contains(usage_type, 'NodeUsage')
            then 'MemoryDB'
            when service_code = 'AmazonES' and contains(usage_type, 'ESInstance') then 'OpenSearch'
            when service_code = 'AmazonRedshift' and contains(usage_type, 'Node:') then 'Redshift'
            when service_code = 'AmazonDynamoDB' and contains(usage_type, 'CapacityUnit-Hrs')
            then 'DynamoDB'
            when service_code = 'AmazonDynamoDB' and contains(usage_type, 'RequestUnits')
            then 'DynamoDB On-Demand'
            when service_code = 'AmazonDocDB'
            and regexp_matches(usage_type, 'InstanceUsage|Serverless')
            then 'DocumentDB'
            when service_code = 'AmazonNeptune'
            and regexp_matches(usage_type, 'InstanceUsage|Serverless')
            then 'Neptune'
            when service_code = 'AmazonMCS'
            and regexp_matches(usage_type, 'RequestUnits|CapacityUnit')
            then 'Keyspaces'
            when service_code = 'AmazonTimestream' and contains(usage_type, 'InstanceUsage')
            then 'Timestream'
            when service_code = 'AWSDatabaseMigrationSvc'
            and regexp_matches(usage_type, '(Instance|Multi-AZ)Us|Serverless')
            then 'DMS'
            when is_covered then 'Other'
        end as service_family,
        -- m5.xlarge, db.r7g.large, cache.m6g.large, r5.large.search, ml.m5.xlarge-Training
        regexp_replace(
            coalesce(
                stated_type,
                nullif(regexp_extract(usage_type, ':([a-z0-9-]+(\.[a-z0-9-]+)+)$', 1), '')
            ),
            '(\.search|\.elasticsearch|-[A-Z][A-Za-z]*)$',
            ''
        ) as instance_type
    from meter
),

sized as (
    select
        *,
        nullif(regexp_extract(instance_type, '^(.*)\.[^.]+$', 1), '') as instance_family,
        regexp_extract(instance_type, '\.([^.]+)$', 1) as size,
        try_cast(
            nullif(regexp_extract(instance_family, '[a-z](\d+)[a-z]*$', 1), '') as integer
        ) as generation,
        -- AWS "How Reserved Instances are applied": the factor of a size; xlarge is not large
        case size
            when 'nano' then 0.25
            when 'micro' then 0.5
            when 'small' then 1
            when 'medium' then 2
            when 'large' then 4
            when 'xlarge' then 8
            else 8 * try_cast(
                nullif(regexp_extract(size, '^(?:metal-)?(\d{1,3})xl(?:arge)?$', 1), '')
                as decimal(3, 0)
            )
        end::decimal(9, 2) as size_factor,
        -- AWS "Reserved DB instances": a standby counts as a second instance, a cluster as three
        case
            when contains(usage_type, 'Multi-AZCluster') then 3
            when contains(usage_type, 'Multi-AZ') then 2
            else 1
        end as copies
    from named
    where service_family is not null
),

classified as (
    select
        *,
        size_factor * copies as units_each,
        case
            when service_family = 'EC2 Instance' then 'Compute, EC2 Instance'
            when service_family in ('Fargate', 'Lambda') then 'Compute'
            when service_family = 'SageMaker' then 'SageMaker'
            when service_family in (
                'Aurora Serverless', 'DynamoDB', 'DynamoDB On-Demand', 'Keyspaces'
            )
            then 'Database'
            when service_family in ('RDS', 'DocumentDB', 'Neptune', 'Timestream', 'DMS')
            and (
                generation >= 7
                or contains(usage_type, 'Serverless')
                or generation is null and instance_family is not null
            )
            then 'Database'
            when service_family = 'ElastiCache' and contains(lower(usage_type), 'valkey')
            then 'Database'
        end as savings_plans,
        service_family in (
            'EC2 Instance', 'RDS', 'ElastiCache', 'MemoryDB', 'OpenSearch', 'Redshift', 'DynamoDB'
        ) as is_reservable
    from sized
),

eligible as (
    select
        charge.*,
        classified.* exclude (service_code, usage_type, stated_type, is_covered),
        charge.is_covered and commitment_type is not distinct from 'Reserved Instance'
            as is_reserved,
        -- quantities too large for this arithmetic have no normalized hours
        case
            when abs(quantity) < 1000000000000
            then (quantity * units_each)::decimal(38, 18)
        end as normalized_hours
    from charge
    join classified
        on classified.service_code is not distinct from charge.service_code
        and classified.usage_type = charge.usage_type
        and classified.stated_type is not distinct from charge.stated_type
        and classified.is_covered = charge.is_covered
),

summed as (
    select
        billing_period,
        period_start,
        period_hours,
        project,
        source,
        sub_account_id,
        region_id,
        service_family,
        instance_family,
        savings_plans,
        is_reservable,
        consumed_unit,
        billing_currency,
        count(*) as charges,
        count(*) filter (is_without_list_price) as charges_without_list_price,
        coalesce(sum(quantity), 0) as eligible_quantity,
        coalesce(sum(quantity) filter (is_covered), 0) as covered_quantity,
        case when count(normalized_hours) = count(*) then sum(normalized_hours) end
            as eligible_normalized_hours,
        case
            when count(normalized_hours) = count(*)
            then coalesce(sum(normalized_hours) filter (is_covered), 0)
        end as covered_normalized_hours,
        sum(list_cost) as eligible_list_cost,
        coalesce(sum(list_cost) filter (is_covered), 0) as covered_list_cost,
        coalesce(sum(list_cost) filter (is_reserved), 0) as reservation_list_cost,
        coalesce(sum(billed_cost) filter (not is_covered), 0) as on_demand_cost,
        coalesce(sum(effective_cost) filter (is_covered), 0) as covered_cost
    from eligible
    group by all
),

final as (
    select
        *,
        covered_list_cost - reservation_list_cost as savings_plan_list_cost,
        try_cast(
            100 * (covered_list_cost / nullif(eligible_list_cost, 0)) as decimal(18, 2)
        ) as covered_percent
    from summed
)

select * from final
