-- price_waterfall: from public prices to the bill, in steps that add up exactly.
-- grain: billing_period, project, sub_account_id, service_name, billing_currency
-- money: list_cost, the steps after it, effective_cost, billed_cost, saved_cost (billing currency,
--        exact decimal)
-- reads: resource_daily_costs
-- lookback: 0 months
-- check: price_waterfall_equals_charges
-- slice: project, billing_period
--
-- It adds up costs and never unit prices, because a price per hour and a price per gigabyte cannot
-- be added up. Only usage has a list cost here, because the list cost of a fee would count the same
-- usage twice.

with

resource_day as (
    select
        *,
        case
            when row_kind = 'unused' or commitment_discount_status = 'Unused' then 'unused'
            when charge_group in ('discounts', 'credits_and_refunds', 'tax') then charge_group
            when charge_category = 'Usage' then 'usage'
            when charge_category = 'Purchase' then 'fees'
            else 'adjustments'
        end as step,
        coalesce(pricing_category = 'Dynamic', false) as is_spot,
        commitment_discount_id is not null as is_covered
    from resource_daily_costs
),

-- usage goes through all price steps; every other row is in one step
priced as (
    select
        *,
        case when step = 'usage' then list_cost else 0 end as usage_list_cost,
        case when step = 'usage' then contracted_cost - list_cost else 0 end as price_change,
        case when step = 'usage' then effective_cost - contracted_cost else 0 end as later_change
    from resource_day
),

summed as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        billing_currency,
        sum(usage_list_cost) as list_cost,
        sum(case when is_spot then price_change else 0 end) as spot_savings,
        sum(case when is_spot then 0 else price_change end) as negotiated_savings,
        sum(case when is_covered then later_change else 0 end) as commitment_savings,
        sum(case when step = 'unused' then effective_cost else 0 end) as unused_cost,
        sum(case when step = 'discounts' then effective_cost else 0 end) as discount_cost,
        sum(case when step = 'credits_and_refunds' then effective_cost else 0 end) as credit_cost,
        sum(case when step = 'fees' then effective_cost else 0 end) as fee_cost,
        sum(case when step = 'tax' then effective_cost else 0 end) as tax_cost,
        sum(
            case
                when step = 'adjustments' then effective_cost
                when is_covered then 0
                else later_change
            end
        ) as adjustment_cost,
        sum(effective_cost) as effective_cost,
        sum(case when charge_category = 'Purchase' then billed_cost - effective_cost else 0 end)
            as commitment_fees,
        sum(case when charge_category = 'Purchase' then 0 else billed_cost - effective_cost end)
            as amortized_fees,
        sum(billed_cost) as billed_cost
    from priced
    group by all
),

final as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        billing_currency,
        list_cost,
        spot_savings,
        negotiated_savings,
        commitment_savings,
        unused_cost,
        discount_cost,
        credit_cost,
        fee_cost,
        tax_cost,
        adjustment_cost,
        effective_cost,
        commitment_fees,
        amortized_fees,
        billed_cost,
        spot_savings + negotiated_savings + commitment_savings + unused_cost as saved_cost
    from summed
)

select * from final
