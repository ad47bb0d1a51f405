-- monthly_costs_equal_charges: months of projects whose monthly_costs are not the sum of their charges.
-- reads: costs, monthly_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        sum(
            case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0
            else x_NetUnblendedCost end
        )::decimal(38, 18) as net_billed_cost,
        sum(x_NetEffectiveCost) as net_effective_cost
    from costs
    group by all
),

told as (
    select
        project,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        -- groups that state no net cost say nothing of the whole
        case when count(net_billed_cost) = count(*) then sum(net_billed_cost) end
            as net_billed_cost,
        case when count(net_effective_cost) = count(*) then sum(net_effective_cost) end
            as net_effective_cost
    from monthly_costs
    group by all
),

final as (
    select
        project,
        billing_period,
        billing_currency,
        charged.charges as charges_of_charges,
        told.charges as charges_of_mart,
        charged.billed_cost as billed_by_charges,
        told.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        told.effective_cost as effective_by_mart,
        charged.list_cost as list_by_charges,
        told.list_cost as list_by_mart,
        charged.contracted_cost as contracted_by_charges,
        told.contracted_cost as contracted_by_mart,
        charged.net_billed_cost as net_billed_by_charges,
        told.net_billed_cost as net_billed_by_mart,
        charged.net_effective_cost as net_effective_by_charges,
        told.net_effective_cost as net_effective_by_mart
    from charged
    full join told using (project, billing_period, billing_currency)
    where charged.charges is distinct from told.charges
        or charged.billed_cost is distinct from told.billed_cost
        or charged.effective_cost is distinct from told.effective_cost
        or charged.list_cost is distinct from told.list_cost
        or charged.contracted_cost is distinct from told.contracted_cost
        or told.net_billed_cost is distinct from charged.net_billed_cost
            and told.net_billed_cost is not null
        or told.net_effective_cost is distinct from charged.net_effective_cost
            and told.net_effective_cost is not null
)

select * from final
