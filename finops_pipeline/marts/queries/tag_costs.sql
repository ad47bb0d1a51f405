-- tag_costs: costs of each value of a tag or cost category, and costs without it.
-- use case: What does each team cost?
-- grain: billing_period, tag_value, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: tag = Team, kind = user_tag
-- values: tag = text, kind = user_tag | aws_tag | cost_category
-- reads: tag_costs
--
-- kind is user_tag, aws_tag or cost_category. Costs without the tag are in a row with no value, so
-- that the rows add up to the month.

with

tag_cost as (
    select *
    from tag_costs
    where tag_kind = $kind
        and tag_key = $tag
        and cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        tag_value,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from tag_cost
    group by all
    order by billing_period, billing_currency, effective_cost desc, tag_value
)

select * from final
