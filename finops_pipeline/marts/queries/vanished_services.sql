-- vanished_services: services that cost something in the previous month and nothing any more.
-- use case: What disappeared from the bill?
-- grain: billing_period, project, sub_account_id, service_name, billing_currency
-- money: cost_before (effective cost in billing currency, exact decimal)
-- parameters: least = 1
-- values: least = amount
-- reads: daily_costs
--
-- A service of an account has vanished if it has no usage in the month. In an unfinished month, it
-- has vanished if its last usage is more than three days older than the newest usage of any
-- service, because bills lag. Services that cost less than `least` in the previous month are left
-- out.

with

-- the month before the first one is read for comparison; it is not shown
used as (
    select *, cast(billing_period || '-01' as date) as month_start
    from daily_costs
    where charge_category = 'Usage'
        and month_start >= $from::date - interval 1 month
        and month_start < $to
        and charges > 0
),

-- in an unfinished month, the newest usage is before its last day
month as (
    select month_start, max(charge_date) as newest_day
    from used
    group by all
),

service as (
    select
        month_start,
        project,
        sub_account_id,
        service_name,
        billing_currency,
        max(charge_date) as last_day,
        sum(effective_cost) as effective_cost
    from used
    group by all
),

final as (
    select
        strftime(month.month_start, '%Y-%m') as billing_period,
        before.project,
        before.sub_account_id,
        before.service_name,
        before.billing_currency,
        coalesce(this.last_day, before.last_day) as last_day,
        before.effective_cost as cost_before
    from service as before
    join month on month.month_start = before.month_start + interval 1 month
    left join service as this
        on this.month_start = month.month_start
        and this.project = before.project
        and this.sub_account_id is not distinct from before.sub_account_id
        and this.service_name = before.service_name
        and this.billing_currency = before.billing_currency
    where month.month_start >= $from
        and before.effective_cost >= $least::decimal(38, 18)
        and (
            this.last_day is null
            or month.newest_day < month.month_start + interval 1 month - interval 1 day
            and this.last_day < month.newest_day - 3
        )
    order by
        billing_period,
        before.billing_currency,
        cost_before desc,
        before.project,
        before.sub_account_id,
        before.service_name
)

select * from final
