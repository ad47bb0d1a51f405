-- commitment_coverage: how much of a month's eligible usage was covered by commitments.
-- grain: billing_period, project, source, sub_account_id, region_id, service_family,
--        instance_family, consumed_unit, billing_currency
-- money: eligible_list_cost, covered_list_cost, reservation_list_cost, savings_plan_list_cost (at
--        public on-demand prices); on_demand_cost (billed), covered_cost (amortized)
-- reads: commitment_coverage_hourly, projects
-- rows only from: commitment_coverage_hourly
-- lookback: 0 months
-- check: coverage_is_explained
-- slice: project, billing_period
--
-- Coverage is defined in commitment_coverage_hourly. For a percentage of several rows, divide their
-- sums.

with

project as (
    select * from projects
),

hour as (
    select * from commitment_coverage_hourly
),

summed as (
    select
        billing_period,
        project,
        source,
        sub_account_id,
        region_id,
        service_family,
        instance_family,
        consumed_unit,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(charges_without_list_price)::bigint as charges_without_list_price,
        sum(eligible_quantity) as eligible_quantity,
        sum(covered_quantity) as covered_quantity,
        case
            when count(eligible_normalized_hours) = count(*) then sum(eligible_normalized_hours)
        end as eligible_normalized_hours,
        case
            when count(eligible_normalized_hours) = count(*) then sum(covered_normalized_hours)
        end as covered_normalized_hours,
        sum(eligible_list_cost) as eligible_list_cost,
        sum(covered_list_cost) as covered_list_cost,
        sum(reservation_list_cost) as reservation_list_cost,
        sum(savings_plan_list_cost) as savings_plan_list_cost,
        sum(on_demand_cost) as on_demand_cost,
        sum(covered_cost) as covered_cost
    from hour
    group by all
),

final as (
    select
        summed.billing_period,
        summed.project,
        project.environment,
        project.business_unit,
        summed.* exclude (billing_period, project),
        try_cast(
            100 * (covered_list_cost / nullif(eligible_list_cost, 0)) as decimal(18, 2)
        ) as covered_percent,
        try_cast(
            100 * (covered_quantity / nullif(eligible_quantity, 0)) as decimal(18, 2)
        ) as covered_quantity_percent,
        case
            when covered_list_cost > eligible_list_cost
            then 'Some usage has a negative cost at list prices.'
            when charges_without_list_price > 0
            then charges_without_list_price
                || ' charges have no public price in the bill and count with their own cost.'
        end as note
    from summed
    left join project on project.project = summed.project
)

select * from final
