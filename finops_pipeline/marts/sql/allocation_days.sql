-- allocation_days: which rules of dimensions are valid on a day, and which columns they read.
-- grain: billing_period, project, charge_date
-- money: none
-- reads: resource_daily_costs, allocation_rules, allocation_conditions
-- lookback: 0 months
-- check: allocations_cover_charges
-- slice: project, billing_period
--
-- A charge whose day is outside its billing period counts on the nearest day of the period. A month
-- depends only on rules that are valid on one of its days.

with

cost as (
    select * from resource_daily_costs
),

rule as (
    select * from allocation_rules
),

requirement as (
    select distinct rule, field from allocation_conditions
),

day as (
    select distinct
        billing_period,
        project,
        charge_date,
        strptime(billing_period || '-01', '%Y-%m-%d')::date as first_day,
        (first_day + interval 1 month)::date as end_day,
        greatest(first_day, least(charge_date, end_day - 1)) as rule_day
    from cost
),

-- the days on which a rule begins or ends
change as (
    select from_day as change_day from rule
    union
    select to_day as change_day from rule
),

since as (
    select
        day.billing_period,
        day.project,
        day.charge_date,
        coalesce(max(change.change_day), day.first_day) as rules_since
    from day
    left join change
        on change.change_day > day.first_day
        and change.change_day <= day.rule_day
    group by day.billing_period, day.project, day.charge_date, day.first_day
),

period as (
    select distinct billing_period, first_day, end_day from day
),

compared as (
    select
        period.billing_period,
        coalesce(bool_or(requirement.field = 'account'), false) as has_account,
        coalesce(bool_or(requirement.field = 'region'), false) as has_region,
        coalesce(bool_or(requirement.field = 'service'), false) as has_service,
        coalesce(bool_or(requirement.field = 'resource'), false) as has_resource,
        coalesce(bool_or(requirement.field = 'tag'), false)
        or coalesce(bool_or(rule.value_source = 'tag'), false) as has_tag,
        coalesce(bool_or(requirement.field = 'cost_category'), false)
        or coalesce(bool_or(rule.value_source = 'cost_category'), false) as has_cost_category
    from period
    left join rule
        on (rule.from_day is null or rule.from_day < period.end_day)
        and (rule.to_day is null or rule.to_day > period.first_day)
    left join requirement on requirement.rule = rule.rule
    group by period.billing_period
),

final as (
    select
        since.billing_period,
        since.project,
        since.charge_date,
        since.rules_since,
        compared.has_account,
        compared.has_region,
        compared.has_service,
        compared.has_resource,
        compared.has_tag,
        compared.has_cost_category
    from since
    inner join compared on compared.billing_period = since.billing_period
)

select * from final
