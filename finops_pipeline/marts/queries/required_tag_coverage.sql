-- required_tag_coverage: share of the cost that meets each declared set of required tags.
-- use case: Which projects miss our tagging policy?
-- grain: billing_period, required_set, project, billing_currency
-- money: taggable_cost, tagged_cost, untagged_cost (effective cost in billing currency, exact
--        decimal)
-- reads: required_tag_coverage

with

covered as (
    select *
    from required_tag_coverage
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        required_set,
        project,
        billing_currency,
        sum(taggable_cost) as taggable_cost,
        sum(tagged_cost) as tagged_cost,
        sum(untagged_cost) as untagged_cost,
        (100 * sum(tagged_cost) / nullif(sum(taggable_cost), 0))::decimal(18, 2) as tagged_percent
    from covered
    group by billing_period, required_set, project, billing_currency
    order by billing_period, required_set, untagged_cost desc, project
)

select * from final
