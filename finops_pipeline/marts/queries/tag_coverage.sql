-- tag_coverage: share of the taggable cost that has a tag.
-- use case: Analyze tag coverage (FOCUS 1.0)
-- grain: billing_period, service_name, billing_currency
-- money: taggable_cost, tagged_cost, untagged_cost (effective cost in billing currency, exact
--        decimal)
-- parameters: tag = Team, kind = user_tag
-- values: tag = text, kind = user_tag | aws_tag | cost_category
-- reads: tag_coverage
--
-- kind is user_tag, aws_tag or cost_category. An empty value counts as missing.

with

covered as (
    select *, tag_kind = $kind and tag_key = $tag as is_asked
    from tag_coverage
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

-- every key has the same taggable cost, so any key will do if nothing has the tag
part as (
    select
        billing_period,
        project,
        sub_account_id,
        service_name,
        billing_currency,
        max(taggable_cost) as taggable_cost,
        sum(case when is_asked then tagged_cost else 0 end) as tagged_cost
    from covered
    group by all
),

final as (
    select
        billing_period,
        service_name,
        billing_currency,
        sum(taggable_cost) as taggable_cost,
        sum(tagged_cost) as tagged_cost,
        sum(taggable_cost) - sum(tagged_cost) as untagged_cost,
        (100 * sum(tagged_cost) / nullif(sum(taggable_cost), 0))::decimal(18, 2) as tagged_percent
    from part
    group by billing_period, service_name, billing_currency
    order by billing_period, service_name, billing_currency
)

select * from final
