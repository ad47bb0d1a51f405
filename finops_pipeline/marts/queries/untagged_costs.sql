-- untagged_costs: taggable costs without a tag, by project, account and service.
-- use case: Where is spend untagged?
-- grain: billing_period, project, sub_account_id, service_name, billing_currency
-- money: untagged_cost (effective cost in billing currency, exact decimal)
-- parameters: tag = Team, kind = user_tag, least = 1
-- values: tag = text, kind = user_tag | aws_tag | cost_category, least = amount
-- reads: tag_coverage
--
-- kind is user_tag, aws_tag or cost_category. Rows below `least` are left out.

with

covered as (
    select *, tag_kind = $kind and tag_key = $tag as is_asked
    from tag_coverage
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

part as (
    select
        billing_period,
        project,
        sub_account_id,
        service_name,
        billing_currency,
        max(taggable_cost) - sum(case when is_asked then tagged_cost else 0 end) as untagged_cost
    from covered
    group by all
),

final as (
    select *
    from part
    where untagged_cost >= $least::decimal(38, 18)
    order by
        billing_period,
        billing_currency,
        untagged_cost desc,
        project,
        sub_account_id,
        service_name
)

select * from final
