-- monthly_costs: what each project cost in a billing period, on every cost basis.
-- grain: billing_period, project, sub_account_id, region_id, service_name, charge_category,
--        billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: daily_costs
-- lookback: 0 months
-- check: monthly_costs_equal_charges
-- slice: project, billing_period

with

daily as (
    select * from daily_costs
),

final as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        region_id,
        service_name,
        charge_category,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        -- a day of unused commitments alone states no net cost and bills nothing
        case
            when sum(charges_without_net_cost) = 0 then sum(net_billed_cost)
        end as net_billed_cost,
        case when count(net_effective_cost) = count(*) then sum(net_effective_cost) end
            as net_effective_cost
    from daily
    group by all
)

select * from final
