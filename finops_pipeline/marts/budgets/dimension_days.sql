-- dimension_days: daily costs of the values of dimensions that have a budget.
-- grain: dimension, dimension_value, billing_period, charge_date, source, billing_currency,
--        is_daily, is_credit
-- money: effective_cost, billed_cost (billing currency)
-- reads: resource_daily_costs, allocation_days, allocations, budgets, monthly_meters
--
-- A charge has the values that dimension_costs gives it; is_daily as in budget_status.

with

budget as (
    select distinct dimension, dimension_value from budgets where scope = 'dimension'
),

newest as (
    select max(billing_period || '-01')::date as newest_month from resource_daily_costs
),

monthly_meter as (
    select * from monthly_meters
),

cost as (
    select resource_daily_costs.*
    from resource_daily_costs, newest
    where (billing_period || '-01')::date > newest_month - interval 13 month
),

day as (
    select * from allocation_days
),

allocation as (
    select * from allocations
),

summed as materialized (
    select
        cost.billing_period,
        cost.charge_date,
        cost.source,
        cost.billing_currency,
        allocation.dimensions,
        coalesce(
            cost.charge_class is null
            and (
                (cost.charge_category = 'Usage' and meter.source is null)
                or cost.line_item_type = 'SavingsPlanRecurringFee'
            ), false
        ) as is_daily,
        cost.charge_category = 'Credit' as is_credit,
        sum(cost.effective_cost) as effective_cost,
        sum(cost.billed_cost) as billed_cost
    from cost
    left join monthly_meter as meter
        on meter.source = cost.source
        and meter.sub_account_id is not distinct from cost.sub_account_id
        and meter.service_code is not distinct from cost.service_code
        and meter.usage_type is not distinct from cost.usage_type
    inner join day
        on day.billing_period = cost.billing_period
        and day.project = cost.project
        and day.charge_date = cost.charge_date
    inner join allocation
        on allocation.billing_period = cost.billing_period
        and allocation.project = cost.project
        and allocation.rules_since = day.rules_since
        and allocation.charge_category = cost.charge_category
        and allocation.sub_account_id
        is not distinct from case when day.has_account then cost.sub_account_id end
        and allocation.region_id
        is not distinct from case when day.has_region then cost.region_id end
        and allocation.service_name
        is not distinct from case when day.has_service then cost.service_name end
        and allocation.service_code
        is not distinct from case when day.has_service then cost.service_code end
        and allocation.resource_id
        is not distinct from case when day.has_resource then cost.resource_id end
        and allocation.resource_name
        is not distinct from case when day.has_resource then cost.resource_name end
        and allocation.tags is not distinct from case when day.has_tag then cost.tags end
        and allocation.cost_categories
        is not distinct from case when day.has_cost_category then cost.cost_categories end
    group by all
),

final as (
    select
        budget.dimension,
        budget.dimension_value,
        summed.billing_period,
        summed.charge_date,
        summed.source,
        summed.billing_currency,
        summed.is_daily,
        summed.is_credit,
        sum(summed.effective_cost) as effective_cost,
        sum(summed.billed_cost) as billed_cost
    from summed
    inner join budget
        on json_extract_string(summed.dimensions, '$."' || budget.dimension || '"')
        = budget.dimension_value
    group by all
)

select * from final
