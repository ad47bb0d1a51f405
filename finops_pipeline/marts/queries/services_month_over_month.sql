-- services_month_over_month: cost of each service, and its change from the month before.
-- use case: Analyze service costs month over month (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: effective_cost, cost_before, difference (billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

monthly as (
    select
        BillingPeriodStart,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
),

final as (
    select
        strftime(this.BillingPeriodStart, '%Y-%m') as billing_period,
        this.service_name,
        this.billing_currency,
        this.effective_cost,
        before.effective_cost as cost_before,
        this.effective_cost - before.effective_cost as difference,
        (100 * difference / nullif(cost_before, 0))::decimal(18, 2) as difference_percent
    from monthly as this
    left join monthly as before
        on before.BillingPeriodStart = this.BillingPeriodStart - interval 1 month
        and before.service_name = this.service_name
        and before.billing_currency = this.billing_currency
    order by billing_period, effective_cost desc, service_name, this.billing_currency
)

select * from final
