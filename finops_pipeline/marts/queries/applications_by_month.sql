-- applications_by_month: what each value of a tag costs by month; null for charges without the tag.
-- use case: Report application cost month over month (FOCUS 1.0)
-- grain: billing_period, tag_value, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: tag = Team
-- values: tag = text
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

final as (
    select
        billing_period,
        json_extract_string(Tags, $tag) as tag_value,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
    order by billing_period, tag_value, billing_currency
)

select * from final
