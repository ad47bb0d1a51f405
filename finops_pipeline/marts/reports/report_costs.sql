-- report_costs: what each project cost in a period, and in the one a week before.
-- grain: project, billing_currency
-- money: cost, cost_before (effective cost, billing currency)
-- reads: daily_costs
-- parameters: first_day, last_day

with

cost as (
    select * from daily_costs
),

final as (
    select
        project,
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
    group by project, billing_currency
    order by billing_currency, cost desc, project
)

select * from final
