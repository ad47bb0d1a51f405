-- budget: a budget is spent, or will be before the month ends.
-- grain: alert_key
-- money: value, threshold (billing currency of the budget)
-- reads: budget_status
-- what to do: finops budgets TENANT shows all of them; finops costs TENANT, by service, shows what the
--   money is spent on. Save, or change the amount in tenants.yaml. It recovers with a forecast within
--   the amount, and when the month is over.

with

status as (
    select * from budget_status
    where billing_period = strftime($day::date, '%Y-%m')
        or (
            -- the first days of a month have no bill of it yet
            day($day::date) <= 5
            and billing_period = strftime($day::date - interval 1 month, '%Y-%m')
        )
),

amounts as (
    select
        *,
        round(amount, 2)::decimal(38, 2)::varchar || ' ' || billing_currency as amount_text,
        round(actual_cost, 2)::decimal(38, 2)::varchar || ' ' || billing_currency as actual_text,
        round(forecast_cost, 2)::decimal(38, 2)::varchar || ' ' || billing_currency
            as forecast_text
    from status
),

final as (
    select
        budget || '/' || billing_period as alert_key,
        case when state = 'over' then 'critical' else 'warning' end as severity,
        'budget ' || budget as subject,
        billing_period as period,
        case
            when state = 'over'
            then 'Budget ' || budget || ' of ' || amount_text || ' was passed on ' || breach_day
                || ': ' || actual_text || ' so far.'
            else 'Budget ' || budget || ' of ' || amount_text || ' will be passed'
                || coalesce(' on ' || breach_day, '') || ': the month will cost '
                || forecast_text || ' at the present rate.'
        end as summary,
        case when state = 'over' then actual_cost else forecast_cost end as value,
        amount as threshold,
        billing_currency as unit,
        'See what the money is spent on, and save or change the budget.' as cure
    from amounts
    where state in ('over', 'forecast over')
)

select * from final
