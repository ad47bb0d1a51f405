-- split_costs_equal_parents: instances whose cost is not exactly the sum of the shares of their
--   tasks and pods.
-- reads: costs
-- rows only from: costs where x_ParentResourceId is not null
-- on failure: warn
--
-- Split cost allocation data (AWS "Understanding split cost allocation data"): per instance and
-- charge period, split cost + unused cost of its tasks and pods = amortized cost of running it
-- (EffectiveCost). Traffic and other charges that carry the instance's id are not shared out.
-- Tolerance: 1e-6, of the cost where that is above 1, because AWS rounds the share of every task
-- and pod to ten decimals and an instance may have run hundreds in a period. A warning, not a
-- refusal: AWS leaves out instances on the first day after the data was switched on, and the bill
-- itself is right.

with

split as (
    select
        project,
        billing_period,
        x_Source as source,
        x_ParentResourceId as parent_resource_id,
        ChargePeriodStart as charge_period_start,
        BillingCurrency as billing_currency,
        count(*) as split_rows,
        min(SubAccountId) as sub_account_id,
        sum(coalesce(x_SplitCost, 0) + coalesce(x_SplitUnusedCost, 0)) as split_cost
    from costs
    where x_ParentResourceId is not null
    group by all
),

parent as (
    select
        billing_period,
        x_Source as source,
        ResourceId as parent_resource_id,
        ChargePeriodStart as charge_period_start,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) as parent_cost
    from costs
    where x_ParentResourceId is null
        and ChargeCategory = 'Usage'
        and regexp_matches(coalesce(x_UsageType, 'BoxUsage'), '(Box|Spot|Dedicated|Host)Usage')
        and ResourceId in (select parent_resource_id from split)
    group by all
),

final as (
    select
        split.*,
        coalesce(parent_cost, 0) as parent_cost,
        split_cost - coalesce(parent_cost, 0) as difference
    from split
    left join parent using (
        billing_period, source, parent_resource_id, charge_period_start, billing_currency
    )
    where abs(split_cost - coalesce(parent_cost, 0))
        > 0.000001 * greatest(coalesce(abs(parent_cost), 0)::decimal(28, 9), 1)
)

select * from final
