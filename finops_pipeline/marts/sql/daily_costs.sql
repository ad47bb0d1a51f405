-- daily_costs: what each project cost on a day, on every cost basis.
-- grain: billing_period, charge_date, project, sub_account_id, region_id, service_name,
--        charge_category, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: costs, projects, unused_commitment_days
-- lookback: 0 months
-- check: daily_costs_equal_charges
-- slice: project, billing_period
--
-- A charge lies on the day on which its period starts, as in Cost Explorer; only the effective cost
-- of the unused part of a commitment lies on all days that it covers (unused_commitment_days).

with

project as (
    select * from projects
),

charge as (
    select
        *,
        cast(ChargePeriodStart as date) as charge_date,
        true as is_charge,
        x_RowKind = 'unused' or coalesce(CommitmentDiscountStatus = 'Unused', false) as is_unused
    from costs
),

unused_day as (
    select * from unused_commitment_days
),

-- an unused part is a charge without effective cost, and its days are effective cost alone
amount as (
    select
        billing_period,
        charge_date,
        project,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        ServiceName as service_name,
        ChargeCategory as charge_category,
        BillingCurrency as billing_currency,
        is_charge,
        BilledCost as billed_cost,
        case when is_unused then 0 else EffectiveCost end as effective_cost,
        ListCost as list_cost,
        ContractedCost as contracted_cost,
        x_NetUnblendedCost as net_unblended_cost,
        -- covered usage bills nothing: the fee itself was billed
        case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0 else x_NetUnblendedCost end
            as net_billed_cost,
        case when is_unused and x_NetEffectiveCost is not null then 0 else x_NetEffectiveCost end
            as net_effective_cost,
        x_NetUnblendedCost is null and x_RowKind <> 'unused' as is_without_net_cost
    from charge
    union all
    select
        billing_period,
        charge_date,
        project,
        sub_account_id,
        region_id,
        service_name,
        charge_category,
        billing_currency,
        false,
        0,
        effective_cost,
        0,
        0,
        case when net_effective_cost is not null then 0 end,
        case when net_effective_cost is not null then 0 end,
        net_effective_cost,
        false
    from unused_day
),

summed as (
    select
        billing_period,
        charge_date,
        project,
        sub_account_id,
        region_id,
        service_name,
        charge_category,
        billing_currency,
        count(*) filter (is_charge) as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        -- the unused part of a fee bills nothing: the fee itself was billed
        case
            when count(net_unblended_cost) > 0 and count(*) filter (is_without_net_cost) = 0
            then sum(net_billed_cost)
        end::decimal(38, 18) as net_billed_cost,
        case
            when count(net_effective_cost) = count(*) then sum(net_effective_cost)
        end as net_effective_cost,
        count(*) filter (is_without_net_cost) as charges_without_net_cost
    from amount
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
