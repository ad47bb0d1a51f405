-- effective_savings_rate: what commitments and negotiated prices saved, as a share of list cost.
-- use case: Calculate effective savings rate (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: list_cost, effective_cost, saved_cost (billing currency, exact decimal)
-- reads: price_waterfall

with

waterfall as (
    select *
    from price_waterfall
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

-- list costs and not unit prices, because prices per hour and per gigabyte cannot be added up. The
-- unused part of a commitment has no list cost and lowers the rate; credits and refunds do not
-- count, because they are not prices.
summed as (
    select
        billing_period,
        service_name,
        billing_currency,
        sum(list_cost) as list_cost,
        sum(list_cost) + sum(saved_cost) as effective_cost
    from waterfall
    group by all
),

final as (
    select
        *,
        list_cost - effective_cost as saved_cost,
        (100 * saved_cost / nullif(list_cost, 0))::decimal(18, 2) as savings_rate_percent
    from summed
    where list_cost <> 0 or effective_cost <> 0
    order by billing_period, service_name, billing_currency
)

select * from final
