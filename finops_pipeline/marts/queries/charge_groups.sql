-- charge_groups: what the total of a month consists of: usage, commitments, credits, tax and so on.
-- use case: What does the total consist of?
-- grain: billing_period, charge_group, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- reads: charge_groups

with

grouped as (
    select *
    from charge_groups
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        charge_group,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from grouped
    group by all
    order by billing_period, billing_currency, charge_group
)

select * from final
