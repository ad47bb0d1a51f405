-- report_movers: the services of projects whose cost changed most since the week before.
-- grain: project, service_name, billing_currency
-- money: cost, cost_before (effective cost, billing currency)
-- reads: daily_costs
-- parameters: first_day, last_day

with

cost as (
    select * from daily_costs
),

compared as (
    select
        project,
        service_name,
        billing_currency,
        coalesce(
            sum(effective_cost) filter (charge_date between $first_day::date and $last_day::date), 0
        )::decimal(38, 18) as cost,
        coalesce(
            sum(effective_cost) filter (
                charge_date between $first_day::date - 7 and $last_day::date - 7
            ), 0
        )::decimal(38, 18) as cost_before
    from cost
    where charge_date between $first_day::date - 7 and $last_day::date
    group by project, service_name, billing_currency
),

final as (
    select *
    from compared
    where cost <> cost_before
    order by abs(cost - cost_before) desc, project, service_name, billing_currency
    limit 10
)

select * from final
