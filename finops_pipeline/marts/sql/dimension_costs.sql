-- dimension_costs: monthly costs of each value of each declared dimension; null is unallocated.
-- grain: billing_period, project, dimension, value, rule, rule_version, service_name,
--        charge_category, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: resource_daily_costs, allocation_days, allocations
-- rows only from: allocations
-- lookback: 0 months
-- check: dimension_costs_equal_charges
-- slice: project, billing_period
--
-- Every dimension has every charge exactly once, so that the sum of each dimension equals the bill.
-- Never add up several dimensions. The mart has no days, because with them it would be as large as
-- the charges; allocated_costs has them.

with

cost as (
    select * from resource_daily_costs
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
        cost.project,
        cost.service_name,
        cost.charge_category,
        cost.billing_currency,
        allocation.dimensions,
        allocation.allocation_rules,
        allocation.allocation_rule_versions,
        sum(cost.charges)::bigint as charges,
        sum(cost.billed_cost) as billed_cost,
        sum(cost.effective_cost) as effective_cost,
        sum(cost.list_cost) as list_cost,
        sum(cost.contracted_cost) as contracted_cost,
        sum(cost.net_billed_cost) as net_billed_cost,
        sum(cost.net_effective_cost) as net_effective_cost,
        sum(cost.charges_without_net_cost)::bigint as charges_without_net_cost,
        count(*) filter (cost.net_effective_cost is null) as rows_without_net_effective_cost
    from cost
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

-- the values of one allocation, a row for each dimension
combined as (
    select distinct dimensions, allocation_rules, allocation_rule_versions from summed
),

split as (
    select *, unnest(json_keys(dimensions)) as dimension from combined
),

value as (
    select
        dimensions,
        allocation_rules,
        allocation_rule_versions,
        dimension,
        json_extract_string(dimensions, '$."' || dimension || '"') as value,
        json_extract_string(allocation_rules, '$."' || dimension || '"') as rule,
        json_extract_string(allocation_rule_versions, '$."' || dimension || '"')::bigint
            as rule_version
    from split
),

final as (
    select
        summed.billing_period,
        summed.project,
        value.dimension,
        value.value,
        value.rule,
        value.rule_version,
        summed.service_name,
        summed.charge_category,
        summed.billing_currency,
        sum(summed.charges)::bigint as charges,
        sum(summed.billed_cost) as billed_cost,
        sum(summed.effective_cost) as effective_cost,
        sum(summed.list_cost) as list_cost,
        sum(summed.contracted_cost) as contracted_cost,
        -- days of unused commitments have neither net cost nor billed cost
        case
            when sum(summed.charges_without_net_cost) = 0 then sum(summed.net_billed_cost)
        end as net_billed_cost,
        case
            when sum(summed.rows_without_net_effective_cost) = 0
            then sum(summed.net_effective_cost)
        end as net_effective_cost
    from summed
    inner join value
        on value.dimensions = summed.dimensions
        and value.allocation_rules = summed.allocation_rules
        and value.allocation_rule_versions = summed.allocation_rule_versions
    group by all
)

select * from final
