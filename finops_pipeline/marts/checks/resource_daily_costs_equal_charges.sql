-- resource_daily_costs_equal_charges: projects and months whose resource_daily_costs are not the sum
--   of their charges.
-- reads: costs, resource_daily_costs
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(ConsumedQuantity) as consumed_quantity,
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

summed as (
    select
        project,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(consumed_quantity) as consumed_quantity,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        -- the sum is not known where some groups state no net cost
        case when count(net_billed_cost) = count(*) then sum(net_billed_cost) end
            as net_billed_cost,
        case when count(net_effective_cost) = count(*) then sum(net_effective_cost) end
            as net_effective_cost
    from resource_daily_costs
    group by all
),

final as (
    select
        project,
        billing_period,
        billing_currency,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        charged.consumed_quantity as quantity_of_charges,
        summed.consumed_quantity as quantity_of_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        charged.list_cost as list_by_charges,
        summed.list_cost as list_by_mart,
        charged.contracted_cost as contracted_by_charges,
        summed.contracted_cost as contracted_by_mart,
        charged.net_billed_cost as net_billed_by_charges,
        summed.net_billed_cost as net_billed_by_mart,
        charged.net_effective_cost as net_effective_by_charges,
        summed.net_effective_cost as net_effective_by_mart
    from charged
    full join summed using (project, billing_period, billing_currency)
    where charged.charges is distinct from summed.charges
        or charged.consumed_quantity is distinct from summed.consumed_quantity
        or charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
        or charged.list_cost is distinct from summed.list_cost
        or charged.contracted_cost is distinct from summed.contracted_cost
        or summed.net_billed_cost is distinct from charged.net_billed_cost
            and summed.net_billed_cost is not null
        or summed.net_effective_cost is distinct from charged.net_effective_cost
            and summed.net_effective_cost is not null
)

select * from final
