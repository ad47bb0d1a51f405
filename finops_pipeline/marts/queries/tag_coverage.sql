-- tag_coverage: share of usage cost that carries a tag.
-- use case: Analyze tag coverage (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: tagged_cost, effective_cost (billing currency, exact decimal)
-- parameters: tag = Team
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

summed as (
    select
        billing_period,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        coalesce(
            sum(EffectiveCost) filter (json_extract_string(Tags, $tag) is not null), 0
        ) as tagged_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage'
    group by all
),

final as (
    select
        *,
        (100 * tagged_cost / nullif(effective_cost, 0))::decimal(18, 2) as tagged_percent
    from summed
    order by billing_period, service_name, billing_currency
)

select * from final
