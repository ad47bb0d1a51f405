-- top_resources: the most expensive resources.
-- use case: Which resources cost most?
-- grain: billing_period, resource_id, service_name, project, billing_currency
-- money: effective_cost (billing currency, exact decimal)
-- parameters: top = 20, least = 1
-- values: top = count, least = amount
-- reads: resource_daily_costs

with

resource as (
    select *
    from resource_daily_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
        and resource_id is not null
),

summed as (
    select
        billing_period,
        resource_id,
        max(resource_name) as resource_name,
        service_name,
        project,
        billing_currency,
        sum(effective_cost) as effective_cost
    from resource
    group by billing_period, resource_id, service_name, project, billing_currency
    having sum(effective_cost) >= $least::decimal(38, 18)
),

ranked as (
    select
        *,
        row_number() over (
            partition by billing_period, billing_currency
            order by effective_cost desc, resource_id, service_name, project
        ) as rank
    from summed
),

final as (
    select *
    from ranked
    where rank <= $top::bigint
    order by billing_period, billing_currency, rank
)

select * from final
