-- cost_anomaly: on one of the last complete days a service cost a project far more than it usually
--   does on that day of the week.
-- grain: alert_key
-- money: value, threshold (billing currency, effective cost)
-- reads: resource_daily_costs
-- values: days = 3, least = 20, deviations = 5
-- what to do: finops costs TENANT --by service and finops rules explain TENANT show what rose; talk to
--   the team of the project. It recovers when the last complete days cost what is usual.
--
-- The cost of a day is compared with the median of the same day of the week in the eight weeks
-- before it. It is an anomaly if it is higher by `least` and by `deviations` times the median
-- distance of those days from their median, which a few odd days do not change. A bill with fewer
-- than four such days is not judged. On the first of a month also the first of the month before is
-- usual. Only usage counts: no purchases, taxes, credits and corrections.

with

cost as (
    select
        source,
        project,
        service_name,
        billing_currency,
        charge_date,
        sum(effective_cost) as cost
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and charge_group in ('usage', 'commitments')
        and charge_date > (select max(charge_date) from resource_daily_costs) - 100
    group by all
),

-- as in recent_usage: the newest day of an unfinished month may not be complete
observed as (
    select
        source,
        min(charge_date) as first_day,
        max(charge_date) as newest_day,
        case when last_day(newest_day) = newest_day then newest_day else newest_day - 1 end
            as last_complete_day
    from cost
    group by source
),

judged as (
    select
        cost.*,
        observed.first_day
    from cost
    inner join observed on observed.source = cost.source
    where charge_date between last_complete_day - $days::integer + 1 and last_complete_day
),

-- a day without a row cost nothing, as long as the bill reaches back to it
same_weekday as (
    select
        judged.source,
        judged.project,
        judged.service_name,
        judged.billing_currency,
        judged.charge_date,
        judged.cost,
        coalesce(earlier.cost, 0) as usual_cost
    from judged
    cross join generate_series(1, 8) as week (number)
    left join cost as earlier
        on earlier.source = judged.source
        and earlier.project = judged.project
        and earlier.service_name = judged.service_name
        and earlier.billing_currency = judged.billing_currency
        and earlier.charge_date = judged.charge_date - (7 * number)::integer
    where judged.charge_date - (7 * number)::integer >= judged.first_day
),

usual as (
    select
        source,
        project,
        service_name,
        billing_currency,
        charge_date,
        cost,
        list(usual_cost) as costs,
        quantile_disc(usual_cost, 0.5) as median_cost
    from same_weekday
    group by all
    having count(*) >= 4
),

distance as (
    select
        usual.* exclude (costs),
        (
            select quantile_disc(abs(day.cost - usual.median_cost), 0.5)
            from unnest(usual.costs) as day (cost)
        ) as median_distance,
        coalesce(first_before.cost, 0) as cost_of_first
    from usual
    left join cost as first_before
        on day(usual.charge_date) = 1
        and first_before.source = usual.source
        and first_before.project = usual.project
        and first_before.service_name = usual.service_name
        and first_before.billing_currency = usual.billing_currency
        and first_before.charge_date = usual.charge_date - interval 1 month
),

anomaly as (
    select
        *,
        greatest(median_cost, cost_of_first) as expected_cost
    from distance
    where cost - greatest(median_cost, cost_of_first) >= $least::decimal(38, 18)
        and cost - greatest(median_cost, cost_of_first)
        >= $deviations::decimal(9, 2) * median_distance
),

final as (
    select
        project || '/' || service_name || '/' || source || '/' || billing_currency as alert_key,
        'warning' as severity,
        'project ' || project || ', ' || service_name as subject,
        strftime(charge_date, '%Y-%m-%d') as period,
        service_name || ' cost project ' || project || ' ' || round(cost, 2)::decimal(38, 2) || ' '
        || billing_currency || ' on ' || charge_date || '; '
        || round(expected_cost, 2)::decimal(38, 2) || ' ' || billing_currency
        || ' is usual on that day of the week.' as summary,
        cost as value,
        expected_cost as threshold,
        billing_currency as unit,
        'Find out what the project used more of, and whether it is meant.' as cure
    from anomaly
    qualify row_number() over (partition by alert_key order by cost - expected_cost desc) = 1
)

select * from final
