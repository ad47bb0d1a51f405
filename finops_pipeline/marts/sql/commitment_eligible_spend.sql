-- commitment_eligible_spend: on-demand spend that commitments could cover, by hour and kind of
--   commitment.
-- grain: billing_period, period_start, period_hours, project, source, region_id, commitment_kind,
--        service_family, instance_family, billing_currency
-- money: on_demand_cost (billed), on_demand_list_cost (billing currency)
-- reads: commitment_coverage_hourly
-- rows only from: commitment_coverage_hourly
-- lookback: 0 months
-- check: eligible_spend_is_on_demand
-- slice: project, billing_period
--
-- The same spend appears under each kind of commitment that could cover it, so never add up several
-- kinds. Spot, and usage that commitments already cover, are left out.

with

hour as (
    select * from commitment_coverage_hourly
),

-- few combinations are taken apart, however many hours they have
kind as (
    select
        savings_plans,
        is_reservable,
        unnest(
            list_concat(
                list_transform(
                    string_split(coalesce(savings_plans, ''), ', '),
                    lambda plan: plan || ' Savings Plan'
                ),
                [case when is_reservable then 'Reserved Instance' else '' end]
            )
        ) as commitment_kind
    from (select distinct savings_plans, is_reservable from hour)
),

final as (
    select
        billing_period,
        period_start,
        period_hours,
        project,
        source,
        region_id,
        commitment_kind,
        service_family,
        instance_family,
        billing_currency,
        sum(on_demand_cost) as on_demand_cost,
        sum(eligible_list_cost - covered_list_cost) as on_demand_list_cost,
        case
            when count(eligible_normalized_hours) = count(*)
            then sum(eligible_normalized_hours - covered_normalized_hours)
        end as on_demand_normalized_hours
    from hour
    join kind
        on kind.savings_plans is not distinct from hour.savings_plans
        and kind.is_reservable = hour.is_reservable
    where commitment_kind not in ('', ' Savings Plan')
    group by all
    having sum(on_demand_cost) <> 0 or sum(eligible_list_cost - covered_list_cost) <> 0
)

select * from final
