-- cash_and_amortized: billed cost next to amortized cost, month by month.
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost (billing currency, exact decimal)
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
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) - sum(effective_cost) as difference,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from monthly
    group by all
    order by billing_period, billing_currency
)

select * from final
