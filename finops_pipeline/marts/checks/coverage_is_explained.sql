-- coverage_is_explained: usage whose coverage in a month is not the sum of its hours, or is above
--   100 % without a note.
-- reads: commitment_coverage, commitment_coverage_hourly
-- rows only from: commitment_coverage_hourly; commitment_coverage
-- on failure: refuse

with

hourly as (
    select
        project,
        billing_period,
        source,
        service_family,
        billing_currency,
        sum(eligible_list_cost) as eligible_list_cost,
        sum(covered_list_cost) as covered_list_cost,
        sum(on_demand_cost) as on_demand_cost,
        0 as unexplained
    from commitment_coverage_hourly
    group by all
),

monthly as (
    select
        project,
        billing_period,
        source,
        service_family,
        billing_currency,
        sum(eligible_list_cost) as eligible_list_cost,
        sum(covered_list_cost) as covered_list_cost,
        sum(on_demand_cost) as on_demand_cost,
        count(*) filter (covered_percent > 100 and note is null) as unexplained
    from commitment_coverage
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        service_family,
        billing_currency,
        hourly.eligible_list_cost as eligible_by_hours,
        monthly.eligible_list_cost as eligible_by_mart,
        hourly.covered_list_cost as covered_by_hours,
        monthly.covered_list_cost as covered_by_mart,
        monthly.unexplained
    from hourly
    full join monthly
        using (project, billing_period, source, service_family, billing_currency)
    where hourly.eligible_list_cost is distinct from monthly.eligible_list_cost
        or hourly.covered_list_cost is distinct from monthly.covered_list_cost
        or hourly.on_demand_cost is distinct from monthly.on_demand_cost
        or monthly.unexplained <> 0
)

select * from final
