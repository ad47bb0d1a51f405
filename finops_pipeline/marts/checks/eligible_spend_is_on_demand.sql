-- eligible_spend_is_on_demand: projects and months in which the spend that reservations, or Savings
--   Plans, could cover is not the on-demand cost of that usage.
-- reads: commitment_coverage_hourly, commitment_eligible_spend
-- rows only from: commitment_coverage_hourly; commitment_eligible_spend
-- on failure: refuse
--
-- Usage belongs to at most one of the Compute, SageMaker and Database Savings Plans; an EC2 Instance
-- Savings Plan covers part of what a Compute Savings Plan covers.

with

usage as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        coalesce(sum(on_demand_cost) filter (is_reservable), 0) as reservable_cost,
        coalesce(sum(on_demand_cost) filter (savings_plans is not null), 0) as plannable_cost
    from commitment_coverage_hourly
    group by all
),

spend as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        coalesce(
            sum(on_demand_cost) filter (commitment_kind = 'Reserved Instance'), 0
        ) as reservable_cost,
        coalesce(
            sum(on_demand_cost) filter (
                commitment_kind in (
                    'Compute Savings Plan', 'SageMaker Savings Plan', 'Database Savings Plan'
                )
            ),
            0
        ) as plannable_cost
    from commitment_eligible_spend
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        usage.reservable_cost as reservable_by_hours,
        spend.reservable_cost as reservable_by_mart,
        usage.plannable_cost as plannable_by_hours,
        spend.plannable_cost as plannable_by_mart
    from usage
    full join spend using (project, billing_period, source, billing_currency)
    where coalesce(usage.reservable_cost, 0) <> coalesce(spend.reservable_cost, 0)
        or coalesce(usage.plannable_cost, 0) <> coalesce(spend.plannable_cost, 0)
)

select * from final
