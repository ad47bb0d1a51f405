-- allocation_changes: the charges and money whose values would change under changed rules.
-- grain: billing_period, dimension, value_before, value_after, rule_before, rule_after,
--        billing_currency
-- money: billed_cost, effective_cost (billing currency)
-- reads: resource_daily_costs, published_allocation_days, published_allocations,
--        allocation_days, allocations

with

cost as (
    select * from resource_daily_costs
),

old_day as (
    select * from published_allocation_days
),

old_allocation as (
    select * from published_allocations
),

new_day as (
    select * from allocation_days
),

new_allocation as (
    select * from allocations
),

summed as materialized (
    select
        cost.billing_period,
        cost.billing_currency,
        coalesce(old_allocation.dimensions, '{}') as old_values,
        coalesce(old_allocation.allocation_rules, '{}') as old_rules,
        coalesce(new_allocation.dimensions, '{}') as new_values,
        coalesce(new_allocation.allocation_rules, '{}') as new_rules,
        sum(cost.charges)::bigint as charges,
        sum(cost.billed_cost) as billed_cost,
        sum(cost.effective_cost) as effective_cost
    from cost
    left join old_day
        on old_day.billing_period = cost.billing_period
        and old_day.project = cost.project
        and old_day.charge_date = cost.charge_date
    left join old_allocation
        on old_allocation.billing_period = cost.billing_period
        and old_allocation.project = cost.project
        and old_allocation.rules_since = old_day.rules_since
        and old_allocation.charge_category = cost.charge_category
        and old_allocation.sub_account_id
        is not distinct from case when old_day.has_account then cost.sub_account_id end
        and old_allocation.region_id
        is not distinct from case when old_day.has_region then cost.region_id end
        and old_allocation.service_name
        is not distinct from case when old_day.has_service then cost.service_name end
        and old_allocation.service_code
        is not distinct from case when old_day.has_service then cost.service_code end
        and old_allocation.resource_id
        is not distinct from case when old_day.has_resource then cost.resource_id end
        and old_allocation.resource_name
        is not distinct from case when old_day.has_resource then cost.resource_name end
        and old_allocation.tags
        is not distinct from case when old_day.has_tag then cost.tags end
        and old_allocation.cost_categories
        is not distinct from case when old_day.has_cost_category then cost.cost_categories end
    left join new_day
        on new_day.billing_period = cost.billing_period
        and new_day.project = cost.project
        and new_day.charge_date = cost.charge_date
    left join new_allocation
        on new_allocation.billing_period = cost.billing_period
        and new_allocation.project = cost.project
        and new_allocation.rules_since = new_day.rules_since
        and new_allocation.charge_category = cost.charge_category
        and new_allocation.sub_account_id
        is not distinct from case when new_day.has_account then cost.sub_account_id end
        and new_allocation.region_id
        is not distinct from case when new_day.has_region then cost.region_id end
        and new_allocation.service_name
        is not distinct from case when new_day.has_service then cost.service_name end
        and new_allocation.service_code
        is not distinct from case when new_day.has_service then cost.service_code end
        and new_allocation.resource_id
        is not distinct from case when new_day.has_resource then cost.resource_id end
        and new_allocation.resource_name
        is not distinct from case when new_day.has_resource then cost.resource_name end
        and new_allocation.tags
        is not distinct from case when new_day.has_tag then cost.tags end
        and new_allocation.cost_categories
        is not distinct from case when new_day.has_cost_category then cost.cost_categories end
    group by all
),

split as (
    select
        *,
        unnest(list_distinct(json_keys(old_values) || json_keys(new_values))) as dimension
    from summed
),

final as (
    select
        billing_period,
        dimension,
        json_extract_string(old_values, '$."' || dimension || '"') as value_before,
        json_extract_string(new_values, '$."' || dimension || '"') as value_after,
        json_extract_string(old_rules, '$."' || dimension || '"') as rule_before,
        json_extract_string(new_rules, '$."' || dimension || '"') as rule_after,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from split
    group by all
    order by all
)

select * from final
