-- shared_costs: what each project costs, with the shared costs that it gives and receives.
-- use case: What does a project cost with its part of shared costs?
-- grain: billing_period, project, billing_currency
-- money: effective_cost, given_cost, received_cost, cost_with_shared (billing currency, exact
--        decimal)
-- reads: monthly_costs, shared_costs
--
-- Given costs are negative. Over all projects, cost_with_shared adds up to the same as
-- effective_cost.

with

own as (
    select
        billing_period,
        project,
        billing_currency,
        effective_cost,
        0::decimal(38, 18) as given_cost,
        0::decimal(38, 18) as received_cost
    from monthly_costs
),

split as (
    select
        billing_period,
        project,
        billing_currency,
        0::decimal(38, 18) as effective_cost,
        case when direction = 'given' then effective_cost else 0 end as given_cost,
        case when direction = 'received' then effective_cost else 0 end as received_cost
    from shared_costs
),

entry as (
    select * from own
    union all
    select * from split
),

final as (
    select
        billing_period,
        project,
        billing_currency,
        sum(effective_cost) as effective_cost,
        sum(given_cost) as given_cost,
        sum(received_cost) as received_cost,
        sum(effective_cost) + sum(given_cost) + sum(received_cost) as cost_with_shared
    from entry
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
    group by all
    order by all
)

select * from final
