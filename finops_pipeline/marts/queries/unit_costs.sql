-- unit_costs: what an order, a user or a request costs, by month, project and metric.
-- use case: What does an order, a user or a request cost?
-- grain: billing_period, metric, project, billing_currency
-- money: billed_cost, effective_cost, billed_cost_per_unit, effective_cost_per_unit (billing
--        currency); per unit rounded to 12 decimals, half away from zero
-- reads: unit_costs
--
-- Only days with a value count; project is null for the whole tenant. A unit that cost 10^19 or
-- more has no unit cost.

with

daily as (
    select *
    from unit_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

summed as (
    select
        billing_period,
        metric,
        project,
        billing_currency,
        count(*) filter (value > 0)::bigint as days,
        count(*) filter (coalesce(value, 0) = 0)::bigint as days_without_value,
        sum(value) as value,
        sum(billed_cost) filter (value > 0) as billed_cost,
        sum(effective_cost) filter (value > 0) as effective_cost
    from daily
    group by all
),

-- whole numbers of 10^-18, because DuckDB divides decimals as floats
scaled as (
    select
        *,
        nullif(replace(value::varchar, '.', '')::hugeint, 0) as units,
        replace(abs(billed_cost)::varchar, '.', '')::hugeint as billed,
        replace(abs(effective_cost)::varchar, '.', '')::hugeint as effective
    from summed
),

divided as (
    select
        *,
        case when billed // units < 10000000000000000000 then billed // units end as billed_whole,
        billed % units as billed_rest,
        billed_rest * 1000000 % units as billed_rest_2,
        billed_whole * 1000000000000
            + (billed_rest * 1000000 // units) * 1000000
            + (billed_rest_2 * 1000000 // units)
            + (2 * (billed_rest_2 * 1000000 % units) >= units)::int as billed_per_unit,
        case when effective // units < 10000000000000000000 then effective // units end
            as effective_whole,
        effective % units as effective_rest,
        effective_rest * 1000000 % units as effective_rest_2,
        effective_whole * 1000000000000
            + (effective_rest * 1000000 // units) * 1000000
            + (effective_rest_2 * 1000000 // units)
            + (2 * (effective_rest_2 * 1000000 % units) >= units)::int as effective_per_unit
    from scaled
),

final as (
    select
        billing_period,
        metric,
        project,
        billing_currency,
        days,
        days_without_value,
        value,
        billed_cost,
        effective_cost,
        (
            case when billed_cost < 0 then '-' else '' end
            || (billed_per_unit // 1000000000000)::varchar || '.'
            || lpad((billed_per_unit % 1000000000000)::varchar, 12, '0')
        )::decimal(38, 12) as billed_cost_per_unit,
        (
            case when effective_cost < 0 then '-' else '' end
            || (effective_per_unit // 1000000000000)::varchar || '.'
            || lpad((effective_per_unit % 1000000000000)::varchar, 12, '0')
        )::decimal(38, 12) as effective_cost_per_unit
    from divided
    order by all
)

select * from final
