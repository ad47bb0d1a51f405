-- commitment_eligible_spend: on-demand spend per hour that further commitments could cover.
-- use case: How large a commitment could we still use?
-- grain: billing_period, source, commitment_kind, billing_currency
-- money: spend (billed; billing currency, exact decimal); least_hourly, low_hourly, median_hourly,
--        most_hourly (per hour, 6 places)
-- reads: commitment_eligible_spend
--
-- The same spend appears under each kind that could cover it, so never add up several kinds.
-- low_hourly is exceeded in nine of ten hours; an hour without spend counts as 0. In a daily bill,
-- the spend of a day is spread evenly over its hours.

with

spend as (
    select *
    from commitment_eligible_spend
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

spread as (
    select
        *,
        greatest(period_hours, 1) as hours,
        unnest(
            generate_series(
                period_start, period_start + (hours - 1) * interval 1 hour, interval 1 hour
            )
        ) as hour_start,
        -- a decimal divided by a number would become a float; 1 / hours to 14 places does not
        cast(on_demand_cost as decimal(22, 8))
        * cast((100000000000000 // hours) * 0.00000000000001 as decimal(16, 14)) as hour_spend
    from spend
),

hour as (
    select distinct billing_period, source, hour_start from spread
),

kind as (
    select
        billing_period,
        source,
        commitment_kind,
        billing_currency,
        sum(on_demand_cost) as spend
    from spend
    group by all
),

summed as (
    select
        billing_period,
        source,
        commitment_kind,
        billing_currency,
        hour_start,
        sum(hour_spend) as hour_spend
    from spread
    group by all
),

hourly as (
    select kind.*, coalesce(summed.hour_spend, 0) as hour_spend
    from kind
    inner join hour using (billing_period, source)
    left join summed
        using (billing_period, source, commitment_kind, billing_currency, hour_start)
),

final as (
    select
        billing_period,
        source,
        commitment_kind,
        billing_currency,
        spend,
        count(*) as hours,
        min(hour_spend)::decimal(38, 6) as least_hourly,
        quantile_disc(hour_spend, 0.1)::decimal(38, 6) as low_hourly,
        quantile_disc(hour_spend, 0.5)::decimal(38, 6) as median_hourly,
        max(hour_spend)::decimal(38, 6) as most_hourly
    from hourly
    group by all
    order by billing_period, source, commitment_kind, billing_currency
)

select * from final
