-- movers: what changed most between two periods, and why: usage, price, mix, new, gone.
-- use case: What changed since the previous month?
-- grain: mover, billing_currency
-- money: cost_before, cost, change and its parts (effective cost in billing currency, exact decimal)
-- parameters: by = service, least = 1, before_from = , before_to =
-- values: by = service | project | environment | business_unit | account | region | usage_type |
--         charge_group | resource, least = amount, before_from = month, before_to = month
-- reads: resource_daily_costs
--
-- Without --from and --to, the newest month is compared with the previous one. With them, these
-- months are compared with as many months before them, or with the months from before_from to
-- before_to (YYYY-MM).
-- If the newest month is unfinished, both periods are limited to its days without the newest one, and
-- to usage, because taxes, fees and credits are stated by month.
-- The parts add up exactly to the change. For a usage type of an account and region that both
-- periods have: usage_change is the change in quantity at the earlier average price, mix_change the
-- effect of a shift to cheaper or more expensive usage types, and price_change the rest. new_cost and
-- gone_cost are usage types that only one period has; other_change is charges without a quantity
-- (fees, credits, taxes). Changes smaller than `least` are combined in one row.

with

resource_day as (
    select
        *,
        cast(billing_period || '-01' as date) as month_start,
        charge_category = 'Usage' and row_kind = 'line' and charge_frequency = 'Usage-Based'
            as is_metered
    from resource_daily_costs
),

last_month as (
    select
        max(month_start) as last_start,
        cast(last_start + interval 1 month as date) as last_end,
        case when $from <= date '0001-01-01' then last_start else $from end as first_start
    from resource_day
    where month_start < $to
),

newest as (
    select max(month_start) as newest_start, max(charge_date) filter (is_metered) as newest_day
    from resource_day
),

period as (
    select
        first_start,
        last_start,
        last_start = newest_start
        and coalesce(newest_day < last_end - interval 1 day, false) as is_partial,
        case when is_partial then newest_day else last_end end as this_end,
        date_diff('month', first_start, last_end) as months,
        cast(
            case
                when $before_from <> '' then cast($before_from || '-01' as date)
                else first_start - to_months(cast(months as integer))
            end as date
        ) as before_start,
        cast(
            case
                when $before_to <> '' then cast($before_to || '-01' as date) + interval 1 month
                else before_start + to_months(cast(months as integer))
            end as date
        ) as before_month_end,
        case
            when is_partial
            then least(
                before_month_end,
                cast(
                    before_month_end - interval 1 month
                    + to_days(cast(date_diff('day', last_start, this_end) as integer)) as date
                )
            )
            else before_month_end
        end as before_end
    from last_month, newest
),

chosen as (
    select
        case $by
            when 'service' then service_name
            when 'project' then project
            when 'environment' then environment
            when 'business_unit' then business_unit
            when 'account' then sub_account_id
            when 'region' then region_id
            when 'usage_type' then usage_type
            when 'charge_group' then charge_group
            when 'resource' then resource_id
        end as mover,
        month_start >= first_start and month_start <= last_start and charge_date < this_end
            as is_now,
        month_start >= before_start and month_start < before_month_end and charge_date < before_end
            as is_before,
        resource_day.*
    from resource_day, period
    where (is_now or is_before) and (is_metered or not is_partial)
),

item as (
    select
        mover,
        sub_account_id,
        region_id,
        service_name,
        usage_type,
        operation,
        pricing_category,
        charge_category,
        consumed_unit,
        billing_currency,
        coalesce(bool_or(is_before), false) as has_before,
        coalesce(bool_or(is_now), false) as has_now,
        coalesce(sum(effective_cost) filter (is_before), 0::decimal(38, 18)) as cost_before,
        coalesce(sum(effective_cost) filter (is_now), 0::decimal(38, 18)) as cost,
        coalesce(sum(consumed_quantity) filter (is_before), 0::decimal(38, 18)) as quantity_before,
        coalesce(sum(consumed_quantity) filter (is_now), 0::decimal(38, 18)) as quantity,
        -- the arithmetic below is exact for amounts of this size; large quantities are bytes
        case when greatest(quantity, quantity_before) < 1000000000 then 1000000000 else 1 end
            as scale,
        has_before
        and has_now
        and abs(cost_before) < 1000000000
        and least(quantity, quantity_before) >= case when scale = 1 then 1 else 0.000001 end
        and greatest(quantity, quantity_before) < 1000000000000000000 as is_comparable
    from chosen
    group by all
),

-- the earlier average price of all usage with the same unit and service
pooled as (
    select
        mover,
        service_name,
        consumed_unit,
        billing_currency,
        sum(cost_before) as cost_before,
        sum(quantity_before) as quantity_before,
        sum(quantity) as quantity,
        -- what usage would have cost at the earlier prices, to a millionth of the currency unit
        sum(
            (
                (cost_before * 1000000)::hugeint * (quantity * scale)::hugeint
                // (quantity_before * scale)::hugeint
            )::decimal(32, 0)
            * 0.000001
        )::decimal(38, 18) as cost_at_old_prices
    from item
    where is_comparable
    group by all
),

effect as (
    select
        *,
        case when greatest(quantity, quantity_before) < 1000000000 then 1000000000 else 1 end
            as scale,
        case
            when abs(cost_before) < 1000000000
            and least(quantity, quantity_before) >= case when scale = 1 then 1 else 0.000001 end
            and greatest(quantity, quantity_before) < 1000000000000000000
            then (
                (
                    (cost_before * 1000000)::hugeint * (quantity * scale)::hugeint
                    // (quantity_before * scale)::hugeint
                )::decimal(32, 0)
                * 0.000001
            )::decimal(38, 18)
            else cost_at_old_prices
        end as cost_at_average_price
    from pooled
),

part as (
    select
        mover,
        billing_currency,
        0::decimal(38, 18) as usage_change,
        0::decimal(38, 18) as mix_change,
        case when is_comparable then cost - cost_before else 0 end as price_change,
        case when not has_before then cost else 0 end as new_cost,
        case when not has_now then -cost_before else 0 end as gone_cost,
        case when has_before and has_now and not is_comparable then cost - cost_before else 0 end
            as other_change,
        cost_before,
        cost
    from item
    union all
    select
        mover,
        billing_currency,
        cost_at_average_price - cost_before,
        cost_at_old_prices - cost_at_average_price,
        -(cost_at_old_prices - cost_before),
        0,
        0,
        0,
        0,
        0
    from effect
),

summed as (
    select
        mover,
        billing_currency,
        sum(cost_before) as cost_before,
        sum(cost) as cost,
        sum(cost) - sum(cost_before) as change,
        sum(usage_change) as usage_change,
        sum(price_change) as price_change,
        sum(mix_change) as mix_change,
        sum(new_cost) as new_cost,
        sum(gone_cost) as gone_cost,
        sum(other_change) as other_change
    from part
    group by all
),

gathered as (
    select
        case when is_large then mover else 'smaller changes' end as mover,
        is_large,
        billing_currency,
        sum(cost_before) as cost_before,
        sum(cost) as cost,
        sum(change) as change,
        sum(usage_change) as usage_change,
        sum(price_change) as price_change,
        sum(mix_change) as mix_change,
        sum(new_cost) as new_cost,
        sum(gone_cost) as gone_cost,
        sum(other_change) as other_change
    from (select *, abs(change) >= $least::decimal(38, 18) as is_large from summed)
    group by all
),

final as (
    select
        mover,
        billing_currency,
        first_start as from_day,
        this_end - 1 as to_day,
        before_start as before_from_day,
        before_end - 1 as before_to_day,
        cost_before,
        cost,
        change,
        usage_change,
        price_change,
        mix_change,
        new_cost,
        gone_cost,
        other_change
    from gathered, period
    order by billing_currency, is_large desc, abs(change) desc, mover
)

select * from final
