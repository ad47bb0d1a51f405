-- compute_hours: hours that instances ran in a month, by family and purchase option, and their
--   elasticity.
-- grain: billing_period, project, source, sub_account_id, region_id, service_name, service_code,
--        instance_family, instance_type, resource_id, billing_currency
-- money: billed_cost, effective_cost, list_cost (billing currency)
-- reads: resource_daily_costs, projects
-- lookback: 0 months
-- check: compute_hours_equal_charges
-- slice: billing_period
--
-- Elasticity is the percentage of the period during which an instance ran: 100 means that it was
-- never stopped. The period covers the days of the month on which the source has usage; the newest
-- day of an unfinished month is left out, because the bill may not have all of its hours yet.

with

project as (
    select * from projects
),

used as (
    select *
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and (
            line_item_type is null
            or line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
        )
        and commitment_discount_status is distinct from 'Unused'
),

-- the days of the month that the source's bill states completely
observed as (
    select
        billing_period,
        source,
        min(charge_date) as first_day,
        max(charge_date) as newest_day,
        last_day(newest_day) = newest_day as is_whole,
        case when is_whole then newest_day + 1 else newest_day end as end_day,
        24 * date_diff('day', first_day, end_day) as period_hours
    from used
    group by all
),

-- patterns are compared once for each meter, not for each day of a resource
meter as (
    select *
    from (select distinct service_code, usage_type, instance_type from used)
    where service_code = 'AmazonEC2'
        and regexp_matches(usage_type, '(^|-)(Box|Spot|Dedicated|Host)Usage')
        or service_code in ('AmazonRDS', 'AmazonDocDB', 'AmazonNeptune', 'AmazonTimestream')
        and regexp_matches(usage_type, '(Instance|Multi-AZ|Multi-AZCluster)Usage')
        or service_code in ('AmazonElastiCache', 'AmazonMemoryDB')
        and contains(usage_type, 'NodeUsage')
        or service_code = 'AmazonES' and contains(usage_type, 'ESInstance')
        or service_code = 'AmazonRedshift' and contains(usage_type, 'Node:')
        or service_code = 'AmazonSageMaker' and contains(usage_type, ':ml.')
        or service_code = 'AWSDatabaseMigrationSvc'
        and regexp_matches(usage_type, '(Instance|Multi-AZ)Us')
),

named as (
    select
        service_code,
        usage_type,
        instance_type,
        regexp_replace(
            coalesce(
                instance_type,
                nullif(regexp_extract(usage_type, ':([a-z0-9-]+(\.[a-z0-9-]+)+)$', 1), '')
            ),
            '(\.search|\.elasticsearch|-[A-Z][A-Za-z]*)$',
            ''
        ) as sized_type,
        -- AWS "Reserved DB instances": a standby counts as a second instance, a cluster as three
        case
            when service_code = 'AmazonRDS' and contains(usage_type, 'Multi-AZCluster') then 3
            when service_code = 'AmazonRDS' and contains(usage_type, 'Multi-AZ') then 2
            else 1
        end as copies
    from meter
),

sized as (
    select
        *,
        nullif(regexp_extract(sized_type, '^(.*)\.[^.]+$', 1), '') as instance_family,
        regexp_extract(sized_type, '\.([^.]+)$', 1) as size,
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
        end::decimal(9, 2) * copies as units_each
    from named
),

instance as (
    select
        used.*,
        sized.sized_type,
        sized.instance_family,
        charge_date < end_day as is_in_period,
        period_hours,
        case
            when pricing_category = 'Dynamic' then 'Spot'
            when line_item_type = 'SavingsPlanCoveredUsage' then 'Savings Plan'
            when line_item_type = 'DiscountedUsage' then 'Reserved'
            when commitment_discount_status = 'Used'
            then case
                when contains(commitment_discount_id, ':savingsplan') then 'Savings Plan'
                else 'Reserved'
            end
            else 'On demand'
        end as purchase_option,
        -- quantities too large for this arithmetic have no normalized hours
        case
            when abs(consumed_quantity) < 1000000000000
            then (consumed_quantity * units_each)::decimal(38, 18)
        end as normalized_hours
    from used
    inner join observed using (billing_period, source)
    inner join sized
        on sized.service_code = used.service_code
        and sized.usage_type = used.usage_type
        and sized.instance_type is not distinct from used.instance_type
),

summed as (
    select
        billing_period,
        project,
        source,
        sub_account_id,
        region_id,
        service_name,
        service_code,
        instance_family,
        sized_type as instance_type,
        resource_id,
        billing_currency,
        sum(charges)::bigint as charges,
        coalesce(sum(consumed_quantity), 0) as running_hours,
        coalesce(sum(consumed_quantity) filter (purchase_option = 'On demand'), 0)
            as on_demand_hours,
        coalesce(sum(consumed_quantity) filter (purchase_option = 'Spot'), 0) as spot_hours,
        coalesce(sum(consumed_quantity) filter (purchase_option = 'Savings Plan'), 0)
            as savings_plan_hours,
        coalesce(sum(consumed_quantity) filter (purchase_option = 'Reserved'), 0)
            as reserved_hours,
        case when count(normalized_hours) = count(*) then sum(normalized_hours) end
            as normalized_hours,
        coalesce(sum(consumed_quantity) filter (is_in_period), 0) as hours_in_period,
        max(period_hours) as period_hours,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from instance
    group by all
),

-- an instance counts as one even if its type, or the project of its account, changed
resource as (
    select
        *,
        sum(hours_in_period) over (
            partition by billing_period, source, resource_id, billing_currency
        ) as resource_hours
    from summed
),

final as (
    select
        resource.billing_period,
        resource.project,
        project.environment,
        project.business_unit,
        resource.* exclude (billing_period, project, resource_hours),
        case
            when resource_id is not null
            then try_cast(100 * (resource_hours / nullif(period_hours, 0)) as decimal(18, 2))
        end as elasticity_percent,
        case
            when resource_id is null then 'The bill does not name the instances.'
            when resource_hours > period_hours then 'Several instances run under this id.'
        end as note
    from resource
    left join project on project.project = resource.project
)

select * from final
