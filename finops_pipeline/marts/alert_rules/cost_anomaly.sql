-- cost_anomaly: on one of the last complete days a service cost a project far more than it usually
--   does on that day of the week.
-- grain: alert_key
-- money: value, threshold (billing currency, effective cost)
-- reads: resource_daily_costs
-- values: days = 3, least = 20, deviations = 5
-- what to do: finops costs TENANT, by service and account, shows what rose; talk to
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

week as (
    select unnest([1, 2, 3, 4, 5, 6, 7, 8]) as number
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
        coalesce(earlier.cost, 0) as cost_before
    from judged
    cross join week
    left join cost as earlier
        on earlier.source = judged.source
        and earlier.project = judged.project
        and earlier.service_name = judged.service_name
        and earlier.billing_currency = judged.billing_currency
        and earlier.charge_date = judged.charge_date - 7 * week.number
    where judged.charge_date - 7 * week.number >= judged.first_day
),

usual as (
    select
        source,
        project,
        service_name,
        billing_currency,
        charge_date,
        quantile_disc(cost_before, 0.5) as median_cost
    from same_weekday
    group by all
    having count(*) >= 4
),

distance as (
    select
        same_weekday.source,
        same_weekday.project,
        same_weekday.service_name,
        same_weekday.billing_currency,
        same_weekday.charge_date,
        same_weekday.cost,
        usual.median_cost,
        quantile_disc(abs(same_weekday.cost_before - usual.median_cost), 0.5) as median_distance
    from same_weekday
    inner join usual
        on usual.source = same_weekday.source
        and usual.project = same_weekday.project
        and usual.service_name = same_weekday.service_name
        and usual.billing_currency = same_weekday.billing_currency
        and usual.charge_date = same_weekday.charge_date
    group by all
),

compared as (
    select
        distance.*,
        greatest(distance.median_cost, coalesce(first_before.cost, 0)) as expected_cost
    from distance
    left join cost as first_before
        on day(distance.charge_date) = 1
        and first_before.source = distance.source
        and first_before.project = distance.project
        and first_before.service_name = distance.service_name
        and first_before.billing_currency = distance.billing_currency
        and first_before.charge_date = distance.charge_date - interval 1 month
),

anomaly as (
    select *
    from compared
    where cost - expected_cost >= $least::decimal(38, 18)
        and cost - expected_cost >= $deviations::decimal(9, 2) * median_distance
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
