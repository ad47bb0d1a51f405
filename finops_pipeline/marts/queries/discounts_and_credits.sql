-- discounts_and_credits: discounts, credits and refunds, by project and service.
-- use case: Which discounts and credits did we get?
-- grain: billing_period, charge_group, project, service_name, billing_currency
-- money: billed_cost (billing currency, exact decimal)
-- parameters: least = 0.01
-- values: least = amount
-- reads: charge_groups
--
-- Rows whose amount, ignoring its sign, is below `least` are left out.

with

grouped as (
    select *
    from charge_groups
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
        and charge_group in ('discounts', 'credits_and_refunds')
),

final as (
    select
        billing_period,
        charge_group,
        project,
        service_name,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost
    from grouped
    group by all
    having abs(sum(billed_cost)) >= $least::decimal(38, 18)
    order by billing_period, billing_currency, billed_cost, charge_group, project, service_name
)

select * from final
