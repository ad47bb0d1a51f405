-- resources_equal_charges: the costs of resources are those of the charges that name a resource, of
--  the last 30 complete days
-- reads: resources, resource_daily_costs, inventory
-- rows only from: resources
-- on failure: refuse

with

resource as (
    select * from resources
),

cost as (
    select * from resource_daily_costs
),

newest as (
    select
        max(charge_date) as newest_day,
        case
            when newest_day = last_day(newest_day) then newest_day else newest_day - 1
        end as last_complete_day
    from cost
),

amount as (
    select
        project,
        billing_currency,
        billed_cost,
        effective_cost,
        list_cost
    from resource
    where has_bill
    union all
    select
        cost.project,
        cost.billing_currency,
        -cost.billed_cost,
        -cost.effective_cost,
        -cost.list_cost
    from cost, newest
    where cost.charge_date > newest.last_complete_day - 30
        and cost.charge_date <= newest.last_complete_day
        and cost.resource_id is not null
        and exists (select 1 from inventory)
),

final as (
    select
        amount.project,
        strftime(newest.newest_day, '%Y-%m') as billing_period,
        amount.billing_currency,
        sum(amount.billed_cost) as billed_too_much,
        sum(amount.effective_cost) as effective_too_much,
        sum(amount.list_cost) as list_too_much
    from amount, newest
    group by all
    having billed_too_much <> 0 or effective_too_much <> 0 or list_too_much <> 0
)

select * from final
