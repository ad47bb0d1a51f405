-- recent_usage: what each resource used in the last 30 complete days of its source, by meter.
-- grain: source, sub_account_id, region_id, service_code, usage_type, operation, instance_type,
--        resource_id, consumed_unit, billing_currency
-- money: billed_cost, effective_cost, list_cost, own_cost (billing currency)
-- reads: resource_daily_costs
-- rows only from: resource_daily_costs where charge_group in ('usage', 'commitments')
-- lookback: 2 months
-- check: recent_usage_equals_costs
-- slice: newest
--
-- Rules of waste read this mart. It never has a day that the bill does not state completely: the
-- newest day of an unfinished month is left out. A resource may have moved between projects: it
-- belongs to the project of its newest day, which is responsible only for its own part of the cost.

with

used as (
    select *
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and charge_group in ('usage', 'commitments')
        and commitment_discount_status is distinct from 'Unused'
),

observed as (
    select
        source,
        min(charge_date) as first_day,
        max(charge_date) as newest_day,
        case when last_day(newest_day) = newest_day then newest_day else newest_day - 1 end
            as window_end,
        window_end - 29 as window_start
    from used
    group by source
),

-- one row per resource, meter and project
metered as (
    select
        project,
        used.source,
        sub_account_id,
        region_id,
        service_code,
        usage_type,
        operation,
        instance_type,
        resource_id,
        consumed_unit,
        billing_currency,
        min(charge_date) as first_day,
        max(charge_date) as last_day,
        -- a bit for each day of the window, because projects may share days
        bit_or(
            case when charge_date >= window_start then 1::bigint << (charge_date - window_start) end
        ) as window_days,
        sum(charges) filter (charge_date >= window_start) as charges,
        sum(consumed_quantity) filter (charge_date >= window_start) as consumed_quantity,
        coalesce(
            sum(consumed_quantity) filter (
                charge_date >= window_start and commitment_discount_id is not null
            ), 0
        ) as covered_quantity,
        coalesce(
            sum(consumed_quantity) filter (
                charge_date >= window_start and pricing_category = 'Dynamic'
            ), 0
        ) as spot_quantity,
        sum(billed_cost) filter (charge_date >= window_start) as billed_cost,
        sum(effective_cost) filter (charge_date >= window_start) as effective_cost,
        sum(list_cost) filter (charge_date >= window_start) as list_cost
    from used
    inner join observed on observed.source = used.source
    where charge_date <= window_end
    group by all
),

resource as (
    select
        source,
        sub_account_id,
        service_code,
        resource_id,
        billing_currency,
        min(first_day) as first_day,
        max(last_day) as last_day,
        arg_max(project, (last_day, effective_cost, project)) as project,
        count(distinct project) filter (window_days is not null) > 1 as is_in_several_projects
    from metered
    group by all
),

summed as (
    select
        resource.project,
        metered.source,
        metered.sub_account_id,
        metered.region_id,
        metered.service_code,
        metered.usage_type,
        metered.operation,
        metered.instance_type,
        metered.resource_id,
        metered.consumed_unit,
        metered.billing_currency,
        resource.first_day,
        resource.last_day,
        resource.is_in_several_projects,
        bit_count(bit_or(metered.window_days))::bigint as days,
        sum(metered.charges)::bigint as charges,
        sum(metered.consumed_quantity) as consumed_quantity,
        sum(metered.covered_quantity) as covered_quantity,
        sum(metered.spot_quantity) as spot_quantity,
        sum(metered.billed_cost) as billed_cost,
        sum(metered.effective_cost) as effective_cost,
        sum(metered.list_cost) as list_cost,
        coalesce(
            sum(metered.effective_cost) filter (metered.project = resource.project), 0
        ) as own_cost
    from metered
    inner join resource
        on resource.source = metered.source
        and resource.sub_account_id is not distinct from metered.sub_account_id
        and resource.service_code is not distinct from metered.service_code
        and resource.resource_id is not distinct from metered.resource_id
        and resource.billing_currency = metered.billing_currency
    where metered.window_days is not null
    group by all
),

final as (
    select
        summed.project,
        summed.source,
        summed.sub_account_id,
        summed.region_id,
        summed.service_code,
        summed.usage_type,
        regexp_replace(summed.usage_type, '^[A-Z]{2,4}[0-9]?-', '') as meter,
        summed.operation,
        summed.instance_type,
        summed.resource_id,
        summed.consumed_unit,
        summed.billing_currency,
        observed.window_start,
        observed.window_end,
        case
            when summed.last_day < observed.window_end - 1 then 'gone'
            when summed.first_day > observed.window_start
                and observed.first_day < summed.first_day
            then 'young'
            else 'present'
        end as presence,
        case
            when summed.resource_id is null then 'The bill does not name the resource.'
            when observed.first_day > observed.window_start
            then 'The bill has fewer than 30 complete days.'
        end as gap,
        case
            when summed.resource_id is null then 'Include resource ids in the export.'
            when observed.first_day > observed.window_start then 'Ingest an earlier month.'
        end as gap_cure,
        summed.is_in_several_projects,
        summed.days,
        summed.charges,
        summed.consumed_quantity,
        summed.covered_quantity,
        summed.spot_quantity,
        summed.billed_cost,
        summed.effective_cost,
        summed.list_cost,
        summed.own_cost
    from summed
    inner join observed on observed.source = summed.source
)

select * from final
