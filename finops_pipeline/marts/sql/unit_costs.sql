-- unit_costs: what a unit of a business metric cost on a day, for a project or the whole tenant.
-- grain: billing_period, charge_date, metric, project, billing_currency
-- money: billed_cost, effective_cost, billed_cost_per_unit, effective_cost_per_unit (billing
--        currency); per unit rounded to 18 decimals, half away from zero
-- reads: daily_costs, business_metrics
-- needs: business_metrics
-- lookback: 0 months
-- check: unit_costs_equal_charges
-- slice: billing_period
--
-- Every day of costs has a row for each metric that has a value in the month. A day without a value,
-- or with the value 0, has no unit cost; nor has a unit that cost 10^19 or more. Never add up unit
-- costs: divide the sum of the costs of days with a value by the sum of their values.

with

cost as (
    select * from daily_costs
),

metric as (
    select * from business_metrics
),

-- project is null: the whole tenant
daily as (
    select
        billing_period,
        charge_date,
        project,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from cost
    group by grouping sets (
        (billing_period, charge_date, project, billing_currency),
        (billing_period, charge_date, billing_currency)
    )
),

series as (
    select distinct billing_period, metric, project from metric
),

-- whole numbers of 10^-18, because DuckDB divides decimals as floats
scaled as (
    select
        daily.billing_period,
        daily.charge_date,
        series.metric,
        daily.project,
        daily.billing_currency,
        metric.value,
        daily.billed_cost,
        daily.effective_cost,
        nullif(replace(metric.value::varchar, '.', '')::hugeint, 0) as units,
        replace(abs(daily.billed_cost)::varchar, '.', '')::hugeint as billed,
        replace(abs(daily.effective_cost)::varchar, '.', '')::hugeint as effective
    from daily
    inner join series
        on series.billing_period = daily.billing_period
        and series.project is not distinct from daily.project
    left join metric
        on metric.billing_period = daily.billing_period
        and metric.day = daily.charge_date
        and metric.metric = series.metric
        and metric.project is not distinct from series.project
),

-- long division, six decimals at a time: the numbers would not fit otherwise
divided as (
    select
        *,
        case when billed // units < 10000000000000000000 then billed // units end as billed_whole,
        billed % units as billed_rest,
        billed_rest * 1000000 % units as billed_rest_2,
        billed_rest_2 * 1000000 % units as billed_rest_3,
        billed_whole * 1000000000000000000
            + (billed_rest * 1000000 // units) * 1000000000000
            + (billed_rest_2 * 1000000 // units) * 1000000
            + (billed_rest_3 * 1000000 // units)
            + (2 * (billed_rest_3 * 1000000 % units) >= units)::int as billed_per_unit,
        case when effective // units < 10000000000000000000 then effective // units end
            as effective_whole,
        effective % units as effective_rest,
        effective_rest * 1000000 % units as effective_rest_2,
        effective_rest_2 * 1000000 % units as effective_rest_3,
        effective_whole * 1000000000000000000
            + (effective_rest * 1000000 // units) * 1000000000000
            + (effective_rest_2 * 1000000 // units) * 1000000
            + (effective_rest_3 * 1000000 // units)
            + (2 * (effective_rest_3 * 1000000 % units) >= units)::int as effective_per_unit
    from scaled
),

-- the point comes back as text; a number with fewer than 19 digits gets zeros before it
final as (
    select
        billing_period,
        charge_date,
        metric,
        project,
        billing_currency,
        value,
        billed_cost,
        effective_cost,
        (
            case when billed_cost < 0 then '-' else '' end
            || (billed_per_unit // 1000000000000000000)::varchar || '.'
            || lpad((billed_per_unit % 1000000000000000000)::varchar, 18, '0')
        )::decimal(38, 18) as billed_cost_per_unit,
        (
            case when effective_cost < 0 then '-' else '' end
            || (effective_per_unit // 1000000000000000000)::varchar || '.'
            || lpad((effective_per_unit % 1000000000000000000)::varchar, 18, '0')
        )::decimal(38, 18) as effective_cost_per_unit
    from divided
)

select * from final
