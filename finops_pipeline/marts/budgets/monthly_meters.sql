-- monthly_meters: meters whose usage is billed only on the first day of months.
-- grain: source, sub_account_id, service_code, usage_type
-- money: none
-- reads: resource_daily_costs
--
-- A fee for a month that the bill states as usage of its first day does not come again on each of
-- the days to come, so budget_status leaves it out of its mean.

with

cost as (
    select * from resource_daily_costs
),

final as (
    select source, sub_account_id, service_code, usage_type
    from cost
    where charge_category = 'Usage'
    group by all
    having bool_and(day(charge_date) = 1)
)

select * from final
