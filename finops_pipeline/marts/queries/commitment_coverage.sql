-- commitment_coverage: how much of the eligible usage was covered by commitments.
-- use case: How much of our compute and database usage do commitments cover?
-- grain: billing_period, project, service_family, billing_currency
-- money: eligible_list_cost, covered_list_cost (at public prices), on_demand_cost (billed; billing
--        currency, exact decimal)
-- parameters: least = 0
-- values: least = amount
-- reads: commitment_coverage
--
-- Spot is not eligible. Rows with an eligible list cost below `least` are left out.

with

coverage as (
    select *
    from commitment_coverage
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

summed as (
    select
        billing_period,
        project,
        service_family,
        billing_currency,
        sum(eligible_list_cost) as eligible_list_cost,
        sum(covered_list_cost) as covered_list_cost,
        sum(reservation_list_cost) as reservation_list_cost,
        sum(savings_plan_list_cost) as savings_plan_list_cost,
        sum(on_demand_cost) as on_demand_cost,
        sum(charges_without_list_price)::bigint as charges_without_list_price
    from coverage
    group by all
),

final as (
    select
        *,
        try_cast(
            100 * (covered_list_cost / nullif(eligible_list_cost, 0)) as decimal(18, 2)
        ) as covered_percent
    from summed
    where eligible_list_cost >= $least::decimal(38, 18)
    order by billing_period, project, service_family, billing_currency
)

select * from final
