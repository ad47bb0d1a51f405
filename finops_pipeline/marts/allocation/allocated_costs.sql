-- allocated_costs: every charge with the values of its dimensions and the rules that gave them.
-- grain: one charge
-- money: as costs
-- reads: costs, allocation_days, allocations
--
-- A charge has the values of the day on which its period starts. The unused part of a commitment
-- is a charge as well; dimension_costs spreads its effective cost over the days that it covers.

with

charge as (
    select * from costs
),

day as (
    select * from allocation_days
),

allocation as (
    select * from allocations
),

final as (
    select
        charge.*,
        coalesce(allocation.dimensions, '{}') as x_Dimensions,
        coalesce(allocation.allocation_rules, '{}') as x_AllocationRule,
        coalesce(allocation.allocation_rule_versions, '{}') as x_AllocationRuleVersion
    from charge
    left join day
        on day.billing_period = charge.billing_period
        and day.project = charge.project
        and day.charge_date = cast(charge.ChargePeriodStart as DATE)
    left join allocation
        on allocation.billing_period = charge.billing_period
        and allocation.project = charge.project
        and allocation.rules_since = day.rules_since
        and allocation.charge_category = charge.ChargeCategory
        and allocation.sub_account_id
        is not distinct from case when day.has_account then charge.SubAccountId end
        and allocation.region_id
        is not distinct from case when day.has_region then charge.RegionId end
        and allocation.service_name
        is not distinct from case when day.has_service then charge.ServiceName end
        and allocation.service_code
        is not distinct from case when day.has_service then charge.x_ServiceCode end
        and allocation.resource_id
        is not distinct from case when day.has_resource then charge.ResourceId end
        and allocation.resource_name
        is not distinct from case when day.has_resource then charge.ResourceName end
        and allocation.tags is not distinct from case when day.has_tag then charge.Tags end
        and allocation.cost_categories
        is not distinct from case when day.has_cost_category then charge.x_CostCategories end
)

select * from final
