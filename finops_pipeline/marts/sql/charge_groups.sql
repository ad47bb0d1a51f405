-- charge_groups: what a total consists of: costs of each project and day by group of charges.
-- grain: billing_period, charge_date, project, sub_account_id, service_name, charge_group,
--        billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: resource_daily_costs
-- lookback: 0 months
-- check: charge_groups_equal_charges
-- slice: project, billing_period

with

resource_day as (
    select * from resource_daily_costs
),

final as (
    select
        billing_period,
        charge_date,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        charge_group,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        case
            when sum(charges_without_net_cost) = 0 then sum(net_billed_cost)
        end as net_billed_cost,
        case when count(net_effective_cost) = count(*) then sum(net_effective_cost) end
            as net_effective_cost
    from resource_day
    group by all
)

select * from final
