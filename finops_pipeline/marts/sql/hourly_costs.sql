-- hourly_costs: what each service cost in each hour of the last 35 days.
-- grain: billing_period, charge_hour, project, source, sub_account_id, region_id, service_name,
--        charge_category, pricing_category, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost (billing currency, exact decimal)
-- reads: costs, projects
-- rows only from: costs where ChargePeriodEnd = ChargePeriodStart + interval 1 hour
-- lookback: 35 days
-- check: hourly_costs_equal_charges
-- slice: newest
--
-- Usage and fees are hourly if their period is an hour; daily sources have no such charges. Taxes,
-- credits and monthly fees belong to no hour. The last day is the newest on which any charge
-- begins, so that the days are the same for every source.

with

project as (
    select * from projects
),

newest as (
    select max(cast(ChargePeriodStart as date)) as newest_day from costs
),

charge as (
    select costs.*
    from costs, newest
    where cast(ChargePeriodStart as date) > newest_day - 35
        and ChargePeriodEnd = ChargePeriodStart + interval 1 hour
        and ChargeCategory in ('Usage', 'Purchase')
        and ChargeFrequency <> 'One-Time'
),

summed as (
    select
        billing_period,
        date_trunc('hour', ChargePeriodStart) as charge_hour,
        project,
        x_Source as source,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        ServiceName as service_name,
        ChargeCategory as charge_category,
        PricingCategory as pricing_category,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost
    from charge
    group by all
),

final as (
    select
        summed.billing_period,
        summed.charge_hour,
        summed.project,
        project.environment,
        project.business_unit,
        summed.source,
        summed.sub_account_id,
        summed.region_id,
        summed.service_name,
        summed.charge_category,
        summed.pricing_category,
        summed.billing_currency,
        summed.charges,
        summed.billed_cost,
        summed.effective_cost,
        summed.list_cost,
        summed.contracted_cost
    from summed
    left join project on project.project = summed.project
)

select * from final
