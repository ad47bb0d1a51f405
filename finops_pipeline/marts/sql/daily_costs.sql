-- daily_costs: what each project cost on a day, on every cost basis.
-- grain: billing_period, charge_date, project, sub_account_id, region_id, service_name,
--        charge_category, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: costs, projects
-- lookback: 0 months
-- check: daily_costs_equal_charges
-- slice: project, billing_period

with

charge as (
    select * from costs
),

project as (
    select * from projects
),

summed as (
    select
        billing_period,
        cast(ChargePeriodStart as date) as charge_date,
        project,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        ServiceName as service_name,
        ChargeCategory as charge_category,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost,
        -- the unused part of a fee and covered usage bill nothing: the fee itself was billed
        case
            when count(x_NetUnblendedCost) > 0
            and count(*) filter (x_NetUnblendedCost is null and x_RowKind <> 'unused') = 0
            then sum(
                case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0
                else x_NetUnblendedCost end
            )
        end::decimal(38, 18) as net_billed_cost,
        case
            when count(x_NetEffectiveCost) = count(*) then sum(x_NetEffectiveCost)
        end as net_effective_cost,
        count(*) filter (x_NetUnblendedCost is null and x_RowKind <> 'unused')
            as charges_without_net_cost
    from charge
    group by all
),

final as (
    select
        summed.billing_period,
        summed.charge_date,
        summed.project,
        project.environment,
        project.business_unit,
        summed.sub_account_id,
        summed.region_id,
        summed.service_name,
        summed.charge_category,
        summed.billing_currency,
        summed.charges,
        summed.billed_cost,
        summed.effective_cost,
        summed.list_cost,
        summed.contracted_cost,
        summed.net_billed_cost,
        summed.net_effective_cost,
        summed.charges_without_net_cost
    from summed
    left join project on project.project = summed.project
)

select * from final
