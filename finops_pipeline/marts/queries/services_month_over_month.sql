-- services_month_over_month: cost of each service, and its change from the previous month.
-- use case: Analyze service costs month over month (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: effective_cost, cost_before, difference (billing currency, exact decimal)
-- reads: monthly_costs

with

-- the month before the first one is read for comparison; it is not shown
costed as (
    select *, cast(billing_period || '-01' as date) as month_start
    from monthly_costs
    where month_start >= $from::date - interval 1 month and month_start < $to
),

monthly as (
    select
        month_start,
        service_name,
        billing_currency,
        sum(effective_cost) as effective_cost
    from costed
    group by all
),

billed_month as (
    select distinct month_start from monthly
),

-- the services of a month, and those of the previous month; those without charges now cost 0
listed as (
    select month_start, service_name, billing_currency from monthly
    union
    select month_start + interval 1 month, service_name, billing_currency from monthly
),

-- cost_before is null if nothing is known about the month before, and 0 if the service is new
final as (
    select
        strftime(listed.month_start, '%Y-%m') as billing_period,
        listed.service_name,
        listed.billing_currency,
        coalesce(this.effective_cost, 0::decimal(38, 18)) as effective_cost,
        case when month_before.month_start is not null
            then coalesce(before.effective_cost, 0::decimal(38, 18))
        end as cost_before,
        coalesce(this.effective_cost, 0::decimal(38, 18)) - cost_before as difference,
        (100 * difference / nullif(cost_before, 0))::decimal(18, 2) as difference_percent
    from listed
    join billed_month as this_month on this_month.month_start = listed.month_start
    left join billed_month as month_before
        on month_before.month_start = listed.month_start - interval 1 month
    left join monthly as this
        on this.month_start = listed.month_start
        and this.service_name is not distinct from listed.service_name
        and this.billing_currency is not distinct from listed.billing_currency
    left join monthly as before
        on before.month_start = listed.month_start - interval 1 month
        and before.service_name is not distinct from listed.service_name
        and before.billing_currency is not distinct from listed.billing_currency
    where listed.month_start >= $from
    order by billing_period, effective_cost desc, listed.service_name, listed.billing_currency
)

select * from final
