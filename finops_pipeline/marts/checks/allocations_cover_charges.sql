-- allocations_cover_charges: days of charges without rules or with two sets of rules, charges
--   without a row of values, and charges with several rows of values.
-- reads: resource_daily_costs, dimensions, allocation_days, allocations
-- on failure: refuse

with

charged_day as (
    select distinct billing_period, project, charge_date, charge_category
    from resource_daily_costs
),

day as (
    select billing_period, project, charge_date, count(*) as sets_of_rules
    from allocation_days
    group by all
),

wrong_day as (
    select
        billing_period,
        project,
        charged.charge_date,
        coalesce(day.sets_of_rules, 0) as rows_of_mart
    from (select distinct billing_period, project, charge_date from charged_day) as charged
    full join day using (billing_period, project, charge_date)
    where day.sets_of_rules is distinct from 1
        or charged.charge_date is null
),

without_values as (
    select
        charged_day.billing_period,
        charged_day.project,
        charged_day.charge_date,
        0 as rows_of_mart
    from charged_day
    inner join allocation_days using (billing_period, project, charge_date)
    anti join allocations using (billing_period, project, rules_since, charge_category)
    where exists (select 1 from dimensions)
),

repeated as (
    select billing_period, project, rules_since as charge_date, count(*) as rows_of_mart
    from allocations
    group by
        billing_period, project, rules_since, charge_category, sub_account_id, region_id,
        service_name, service_code, resource_id, resource_name, tags, cost_categories
    having count(*) > 1
),

final as (
    select * from wrong_day
    union all
    select * from without_values
    union all
    select * from repeated
)

select * from final
