-- recent_usage_equals_costs: sources whose recent_usage is not the sum of their metered usage in the
--   30 days that it states.
-- reads: resource_daily_costs, recent_usage
-- rows only from: recent_usage
-- on failure: refuse

with

stated as (
    select
        source,
        billing_currency,
        any_value(window_start) as window_start,
        any_value(window_end) as window_end,
        sum(charges)::bigint as charges,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        bool_or(own_cost > effective_cost and effective_cost >= 0 and not is_in_several_projects)
            as is_over
    from recent_usage
    group by all
),

daily as (
    select
        costs.source,
        costs.billing_currency,
        max(costs.billing_period) as billing_period,
        sum(costs.charges)::bigint as charges,
        sum(costs.effective_cost) as effective_cost,
        sum(costs.list_cost) as list_cost
    from resource_daily_costs as costs
    inner join stated
        on stated.source = costs.source and stated.billing_currency = costs.billing_currency
    where costs.charge_date between stated.window_start and stated.window_end
        and costs.charge_category = 'Usage'
        and costs.charge_class is null
        and costs.row_kind = 'line'
        and costs.charge_group in ('usage', 'commitments')
        and costs.commitment_discount_status is distinct from 'Unused'
    group by all
),

final as (
    select
        daily.billing_period,
        source,
        billing_currency,
        daily.charges as charges_of_costs,
        stated.charges as charges_of_mart,
        daily.effective_cost as effective_of_costs,
        stated.effective_cost as effective_of_mart
    from stated
    left join daily using (source, billing_currency)
    where stated.charges is distinct from daily.charges
        or stated.effective_cost is distinct from daily.effective_cost
        or stated.list_cost is distinct from daily.list_cost
        or stated.is_over
)

select * from final
