-- budget_status: what was spent of each budget by month, and what the rest of the month will cost.
-- grain: billing_period, budget
-- money: amount, actual_cost, credits; daily_cost and forecast_cost, rounded to 6 places
--        (billing currency of the budget)
-- reads: budgets, resource_daily_costs, dimension_days, monthly_meters, data_status
--
-- Days that are still to come cost as much as the last 14 complete days did on average, which at the
-- beginning of a month lie in the month before. All budgets use the same days, so that forecasts of
-- projects add up to that of the tenant. Charges that come once count when they are there, and so do
-- fees for a month. A row that is dated after the day on which its bill landed completes no day.

with

budget as (
    select * from budgets
),

dimension_day as (
    select * from dimension_days
),

monthly_meter as (
    select * from monthly_meters
),

project_day as (
    select
        cost.billing_period,
        cost.charge_date,
        cost.project,
        cost.environment,
        cost.source,
        cost.billing_currency,
        coalesce(
            cost.charge_class is null
            and (
                (cost.charge_category = 'Usage' and meter.source is null)
                or cost.line_item_type = 'SavingsPlanRecurringFee'
            ), false
        ) as is_daily,
        cost.charge_category = 'Credit' as is_credit,
        sum(cost.effective_cost) as effective_cost,
        sum(cost.billed_cost) as billed_cost
    from resource_daily_costs as cost
    left join monthly_meter as meter
        on meter.source = cost.source
        and meter.sub_account_id is not distinct from cost.sub_account_id
        and meter.service_code is not distinct from cost.service_code
        and meter.usage_type is not distinct from cost.usage_type
    group by all
),

landed as (
    select source, max(left(landed_at, 10)::date) as landed_day
    from data_status
    group by source
),

newest as (
    select max(billing_period || '-01')::date as newest_month from project_day
),

-- as in recent_usage: the newest day of an unfinished month may not be complete
observed as (
    select
        project_day.source,
        min(charge_date) as first_day,
        max(charge_date) filter (charge_date <= landed_day) as landed_before,
        coalesce(landed_before, max(charge_date)) as newest_day,
        case
            when last_day(newest_day) = newest_day
                and newest_day is distinct from any_value(landed_day)
            then newest_day
            else newest_day - 1
        end as as_of_day,
        least(14, as_of_day - first_day + 1) as days
    from project_day
    left join landed on landed.source = project_day.source
    where is_daily
    group by project_day.source
),

month as (
    select distinct billing_period, last_day((billing_period || '-01')::date) as last_date
    from project_day, newest
    where (billing_period || '-01')::date > newest_month - interval 13 month
),

-- a source whose newest day is long past the others' costs nothing more
expected as (
    select
        month.billing_period,
        observed.source,
        observed.days,
        least(observed.as_of_day, month.last_date) as as_of_day,
        case
            when observed.as_of_day + 10 >= (select max(as_of_day) from observed)
            then greatest(
                month.last_date
                - greatest(observed.as_of_day, (month.billing_period || '-01')::date - 1), 0
            )
            else 0
        end as days_left
    from month
    cross join observed
),

counted as (
    select
        budget.budget,
        budget.cost_basis,
        budget.billing_currency as budget_currency,
        cost.billing_period,
        cost.charge_date,
        cost.source,
        cost.billing_currency,
        cost.is_daily,
        cost.is_credit,
        case
            when budget.cost_basis = 'billed' then cost.billed_cost else cost.effective_cost
        end as cost
    from budget
    inner join project_day as cost
        on budget.scope = 'all'
        or (budget.scope = 'project' and cost.project = budget.project)
        or (budget.scope = 'environment' and cost.environment = budget.environment)
    union all
    select
        budget.budget,
        budget.cost_basis,
        budget.billing_currency,
        cost.billing_period,
        cost.charge_date,
        cost.source,
        cost.billing_currency,
        cost.is_daily,
        cost.is_credit,
        case
            when budget.cost_basis = 'billed' then cost.billed_cost else cost.effective_cost
        end
    from budget
    inner join dimension_day as cost
        on cost.dimension = budget.dimension
        and cost.dimension_value = budget.dimension_value
),

own as (
    select * from counted where billing_currency = budget_currency
),

-- decimals have no exact division: whole millionths are divided instead
rate as (
    select
        own.budget,
        own.source,
        (
            (
                (sum(own.cost)::decimal(30, 6) * 1000000)::hugeint // nullif(max(observed.days), 0)
            )::decimal(32, 0) * 0.000001::decimal(6, 6)
        )::decimal(38, 18) as daily_cost
    from own
    inner join observed on observed.source = own.source
    where own.is_daily
        and own.charge_date between observed.as_of_day - 13 and observed.as_of_day
    group by all
),

to_come as (
    select
        budget.budget,
        expected.billing_period,
        max(expected.as_of_day) as as_of_day,
        bool_or(expected.days_left > 0) as is_unfinished,
        bool_or(expected.days_left > 0 and expected.days < 3) as is_new,
        coalesce(
            sum(rate.daily_cost) filter (expected.days_left > 0), 0
        )::decimal(38, 18) as daily_cost,
        coalesce(sum(rate.daily_cost * expected.days_left), 0)::decimal(38, 18) as cost
    from budget
    cross join expected
    left join rate on rate.budget = budget.budget and rate.source = expected.source
    group by all
),

spent as (
    select
        own.budget,
        own.billing_period,
        sum(own.cost) as actual_cost,
        coalesce(sum(own.cost) filter (own.is_credit), 0) as credits,
        -- a day that is not complete is forecast like those after it
        coalesce(
            sum(own.cost) filter (
                own.is_daily and own.charge_date > expected.as_of_day and expected.days_left > 0
            ), 0
        ) as incomplete_cost
    from own
    left join expected
        on expected.billing_period = own.billing_period
        and expected.source = own.source
    group by all
),

running as (
    select
        budget,
        billing_period,
        charge_date,
        sum(sum(cost)) over (
            partition by budget, billing_period
            order by charge_date
        ) as cost_so_far
    from own
    group by budget, billing_period, charge_date
),

breach as (
    select running.budget, running.billing_period, min(running.charge_date) as breach_day
    from running
    inner join budget on budget.budget = running.budget
    where running.cost_so_far > budget.amount
    group by all
),

other as (
    select
        budget,
        billing_period,
        string_agg(distinct billing_currency, ', ' order by billing_currency) as currencies
    from counted
    where billing_currency <> budget_currency
    group by all
),

joined as (
    select
        to_come.billing_period,
        budget.*,
        coalesce(spent.actual_cost, 0)::decimal(38, 18) as actual_cost,
        coalesce(spent.credits, 0)::decimal(38, 18) as credits,
        coalesce(spent.actual_cost - spent.incomplete_cost, 0)::decimal(38, 18) as complete_cost,
        case when to_come.as_of_day >= (to_come.billing_period || '-01')::date
            then to_come.as_of_day end as as_of_day,
        case when not to_come.is_new then to_come.daily_cost end as daily_cost,
        -- a month never costs less than what is there
        case
            when not to_come.is_new
            then greatest(
                coalesce(spent.actual_cost - spent.incomplete_cost, 0) + to_come.cost,
                coalesce(spent.actual_cost, 0)
            )
        end::decimal(38, 18) as forecast_cost,
        to_come.is_unfinished,
        to_come.as_of_day as newest_day,
        last_day((to_come.billing_period || '-01')::date) as last_date,
        breach.breach_day,
        other.currencies
    from to_come
    inner join budget on budget.budget = to_come.budget
    left join spent
        on spent.budget = to_come.budget and spent.billing_period = to_come.billing_period
    left join breach
        on breach.budget = to_come.budget and breach.billing_period = to_come.billing_period
    left join other
        on other.budget = to_come.budget and other.billing_period = to_come.billing_period
),

final as (
    select
        billing_period,
        budget,
        scope,
        project,
        environment,
        dimension,
        dimension_value,
        cost_basis,
        amount,
        billing_currency,
        actual_cost,
        credits,
        as_of_day,
        daily_cost,
        case when is_unfinished then forecast_cost else actual_cost end as forecast_cost,
        case
            when actual_cost > amount then breach_day
            when is_unfinished and forecast_cost > amount and daily_cost > 0
            then least(
                last_date,
                newest_day + 1 + (
                    ((amount - complete_cost)::decimal(30, 6) * 1000000)::hugeint
                    // nullif((daily_cost::decimal(30, 6) * 1000000)::hugeint, 0)
                )::integer
            )
        end as breach_day,
        case
            when actual_cost > amount then 'over'
            when is_unfinished and forecast_cost is null then 'unknown'
            when is_unfinished and forecast_cost > amount then 'forecast over'
            else 'within'
        end as state,
        nullif(
            concat_ws(
                ' ',
                case
                    when is_unfinished and forecast_cost is null
                    then 'Fewer than 3 complete days are known, too few for a forecast.'
                end,
                'Charges in ' || currencies || ' are not counted.'
            ), ''
        ) as reason
    from joined
)

select * from final
