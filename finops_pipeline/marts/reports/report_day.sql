-- report_day: the newest day on which the bill is complete, the latest that a report can be about.
-- grain: one row
-- money: none
-- reads: resource_daily_costs
--
-- The newest day of an unfinished month may not be complete. Of several sources the one that lags
-- behind counts, unless it ended more than ten days before the others.

with

observed as (
    select
        source,
        max(charge_date) as newest_day,
        case when last_day(newest_day) = newest_day then newest_day else newest_day - 1 end
            as complete_day
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
    group by source
),

final as (
    select min(complete_day) as complete_day
    from observed
    where complete_day + 10 >= (select max(complete_day) from observed)
)

select * from final
