-- coverage_equals_charges: projects and months whose covered usage is not the sum of the covered
--   charges, or whose on-demand usage is more than that of the charges.
-- reads: commitment_coverage_hourly, resource_daily_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        coalesce(sum(list_cost) filter (commitment_discount_status = 'Used'), 0)
            as covered_list_cost,
        coalesce(sum(effective_cost) filter (commitment_discount_status = 'Used'), 0)
            as covered_cost,
        coalesce(sum(charges), 0) as charges
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and (
            line_item_type is null
            or line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
        )
        and commitment_discount_status is distinct from 'Unused'
        and pricing_category is distinct from 'Dynamic'
    group by all
),

summed as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        sum(covered_list_cost) as covered_list_cost,
        sum(covered_cost) as covered_cost,
        sum(charges) as charges
    from commitment_coverage_hourly
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        charged.covered_list_cost as covered_by_charges,
        summed.covered_list_cost as covered_by_mart,
        charged.covered_cost as cost_by_charges,
        summed.covered_cost as cost_by_mart,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart
    from charged
    full join summed using (project, billing_period, source, billing_currency)
    where coalesce(charged.covered_list_cost, 0)
            is distinct from coalesce(summed.covered_list_cost, 0)
        or coalesce(charged.covered_cost, 0) is distinct from coalesce(summed.covered_cost, 0)
        or coalesce(charged.charges, 0) < coalesce(summed.charges, 0)
)

select * from final
