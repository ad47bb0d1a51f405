-- unit_costs_equal_charges: metrics and months whose unit_costs have other costs than their days,
--   a unit cost on a day without units, or none on a day with units, unless it is 10^19 or more.
-- reads: unit_costs, resource_daily_costs, business_metrics
-- on failure: refuse

with

series as (
    select distinct billing_period, metric, project from business_metrics
),

charged as (
    select
        series.billing_period,
        series.metric,
        series.project,
        resource_daily_costs.billing_currency,
        sum(resource_daily_costs.billed_cost) as billed_cost,
        sum(resource_daily_costs.effective_cost) as effective_cost
    from series
    inner join resource_daily_costs
        on resource_daily_costs.billing_period = series.billing_period
        and (series.project is null or resource_daily_costs.project = series.project)
    group by all
),

-- whole numbers of 10^-18, because DuckDB divides decimals as floats
scaled as (
    select
        *,
        replace(value::varchar, '.', '')::hugeint as units,
        replace(abs(billed_cost)::varchar, '.', '')::hugeint // nullif(units, 0) as billed_per_unit,
        replace(abs(effective_cost)::varchar, '.', '')::hugeint // nullif(units, 0)
            as effective_per_unit
    from unit_costs
),

summed as (
    select
        billing_period,
        metric,
        project,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        count(*) filter (
            coalesce(billed_per_unit < 10000000000000000000, false)
            = (billed_cost_per_unit is null)
            or coalesce(effective_per_unit < 10000000000000000000, false)
            = (effective_cost_per_unit is null)
        ) as wrong_days
    from scaled
    group by all
),

final as (
    select
        coalesce(charged.billing_period, summed.billing_period) as billing_period,
        coalesce(charged.metric, summed.metric) as metric,
        coalesce(charged.project, summed.project) as project,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        summed.wrong_days
    from charged
    full join summed
        on summed.billing_period = charged.billing_period
        and summed.metric = charged.metric
        and summed.project is not distinct from charged.project
        and summed.billing_currency = charged.billing_currency
    where charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
        or summed.wrong_days > 0
)

select * from final
