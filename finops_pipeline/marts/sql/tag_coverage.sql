-- tag_coverage: how much of the taggable cost has a tag, by key.
-- grain: billing_period, project, sub_account_id, service_name, tag_kind, tag_key, billing_currency
-- money: taggable_cost, tagged_cost, untagged_cost (effective cost in billing currency, exact
--        decimal)
-- reads: tag_costs
-- rows only from: tag_costs
-- lookback: 0 months
-- check: tag_coverage_equals_charges
-- slice: billing_period
--
-- A missing tag and an empty value both count as untagged.

with

tag_cost as (
    select *, coalesce(trim(tag_value), '') <> '' as is_tagged from tag_costs
),

final as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        tag_kind,
        tag_key,
        billing_currency,
        sum(taggable_cost) as taggable_cost,
        sum(case when is_tagged then taggable_cost else 0 end) as tagged_cost,
        sum(case when is_tagged then 0 else taggable_cost end) as untagged_cost
    from tag_cost
    group by all
    having count(*) filter (taggable_cost <> 0) > 0
)

select * from final
