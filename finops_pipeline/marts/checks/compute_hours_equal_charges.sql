-- compute_hours_equal_charges: projects and months whose EC2 instance hours or costs differ from
--   those of the charges, or whose purchase options do not add up.
-- reads: compute_hours, resource_daily_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        coalesce(sum(consumed_quantity), 0) as running_hours,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and (
            line_item_type is null
            or line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
        )
        and commitment_discount_status is distinct from 'Unused'
        and service_code = 'AmazonEC2'
        and regexp_matches(usage_type, '(^|-)(Box|Spot|Dedicated|Host)Usage')
    group by all
),

summed as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        sum(running_hours) as running_hours,
        sum(on_demand_hours + spot_hours + savings_plan_hours + reserved_hours) as option_hours,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from compute_hours
    where service_code = 'AmazonEC2'
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        charged.running_hours as hours_of_charges,
        summed.running_hours as hours_of_mart,
        summed.option_hours,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart
    from charged
    full join summed using (project, billing_period, source, billing_currency)
    where charged.running_hours is distinct from summed.running_hours
        or summed.running_hours is distinct from summed.option_hours
        or charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
)

select * from final
