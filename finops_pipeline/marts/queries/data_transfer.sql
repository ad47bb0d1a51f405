-- data_transfer: costs of data transfer, by kind and direction.
-- use case: What does each kind of data transfer cost?
-- grain: billing_period, kind, direction, project, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: least = 0
-- values: least = amount
-- reads: data_transfer
--
-- Rows whose effective cost is below `least` are left out.

with

transfer as (
    select *
    from data_transfer
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

summed as (
    select
        billing_period,
        kind,
        direction,
        project,
        billing_currency,
        case when count(gigabytes) = count(*) then sum(gigabytes) end as gigabytes,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from transfer
    group by all
),

final as (
    select *
    from summed
    where effective_cost >= $least::decimal(38, 18)
    order by
        billing_period, billing_currency, effective_cost desc, kind, direction, project
)

select * from final
