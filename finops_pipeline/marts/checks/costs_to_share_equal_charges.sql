-- costs_to_share_equal_charges: projects and months whose costs_to_share are not the sum of their
--   charges by resource and day.
-- reads: costs_to_share, resource_daily_costs, shared_cost_rules
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from resource_daily_costs
    where exists (
        select 1
        from shared_cost_rules as rule
        where (rule.from_month is null or rule.from_month <= billing_period)
            and (rule.to_month is null or billing_period < rule.to_month)
    )
    group by all
),

summed as (
    select
        project,
        billing_period,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from costs_to_share
    group by all
),

final as (
    select
        project,
        billing_period,
        billing_currency,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart
    from charged
    full join summed using (project, billing_period, billing_currency)
    where charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
        or charged.list_cost is distinct from summed.list_cost
        or charged.contracted_cost is distinct from summed.contracted_cost
)

select * from final
