-- compute_hours: hours that instances ran, by family and purchase option.
-- use case: Which instance families run, and how are they paid for?
-- grain: billing_period, service_name, instance_family, project, billing_currency
-- money: effective_cost, list_cost (billing currency, exact decimal)
-- reads: compute_hours
--
-- always_on counts the instances that were never stopped on the days that the bill states
-- completely.

with

hours as (
    select *
    from compute_hours
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        service_name,
        instance_family,
        project,
        billing_currency,
        count(distinct resource_id) as instances,
        count(distinct resource_id) filter (elasticity_percent >= 100) as always_on,
        sum(running_hours) as running_hours,
        sum(on_demand_hours) as on_demand_hours,
        sum(spot_hours) as spot_hours,
        sum(savings_plan_hours) as savings_plan_hours,
        sum(reserved_hours) as reserved_hours,
        case when count(normalized_hours) = count(*) then sum(normalized_hours) end
            as normalized_hours,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from hours
    group by all
    order by billing_period, service_name, instance_family, project, billing_currency
)

select * from final
