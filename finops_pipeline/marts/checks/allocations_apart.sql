-- allocations_apart: months with two allocations for the same charges, or two sets of rules for
--   the same day.
-- reads: allocations, allocation_days
-- on failure: refuse

with

allocation as (
    select billing_period, count(*) as rows_of_mart
    from allocations
    group by
        billing_period, project, rules_since, charge_category, sub_account_id, region_id,
        service_name, service_code, resource_id, resource_name, tags, cost_categories
    having count(*) > 1
),

day as (
    select billing_period, count(*) as rows_of_mart
    from allocation_days
    group by billing_period, project, charge_date
    having count(*) > 1
),

final as (
    select * from allocation
    union all
    select * from day
)

select * from final
