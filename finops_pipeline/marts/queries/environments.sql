-- environments: what each environment and project costs.
-- use case: What does production cost?
-- grain: billing_period, environment, project, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- reads: monthly_costs

with

monthly as (
    select *
    from monthly_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        environment,
        project,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from monthly
    group by all
    order by all
)

select * from final
