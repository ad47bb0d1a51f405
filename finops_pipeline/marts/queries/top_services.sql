-- top_services: the most expensive services, and their share of the month.
-- use case: What do we spend most on?
-- grain: billing_period, service_name, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: top = 10
-- values: top = count
-- reads: monthly_costs

with

monthly as (
    select *
    from monthly_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

summed as (
    select
        billing_period,
        service_name,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from monthly
    group by all
),

ranked as (
    select
        *,
        row_number() over month_by_cost as rank,
        sum(effective_cost) over (partition by billing_period, billing_currency) as month_cost
    from summed
    window month_by_cost as (
        partition by billing_period, billing_currency
        order by effective_cost desc, service_name
    )
),

final as (
    select
        billing_period,
        rank,
        service_name,
        billing_currency,
        billed_cost,
        effective_cost,
        (100 * effective_cost / nullif(month_cost, 0))::decimal(18, 2) as percent_of_month
    from ranked
    where rank <= $top::bigint
    order by billing_period, billing_currency, rank
)

select * from final
