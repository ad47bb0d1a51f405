-- required_tags: share of the cost that has all of several tags.
-- use case: How much spend meets the tagging policy?
-- grain: billing_period, project, billing_currency
-- money: taggable_cost, complete_cost, incomplete_cost (effective cost in billing currency, exact
--        decimal)
-- parameters: tags = Team;Env
-- values: tags = text
-- reads: resource_daily_costs
--
-- `tags` lists the required keys of users' tags, separated by semicolons. An empty value counts as
-- missing. Taxes, support, credits and commitments cannot be tagged and do not count.

with

taggable as (
    select *
    from resource_daily_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
        and charge_category = 'Usage'
        and charge_group in ('usage', 'commitments', 'marketplace')
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
        and coalesce(resource_id, '') <> ''
),

required as (
    select distinct trim(key) as tag_key
    from (select unnest(string_split($tags, ';')) as key)
    where trim(key) <> ''
),

object as (
    select
        tags,
        unnest(map_entries(cast(cast(tags as json) as map(varchar, varchar)))) as entry
    from (select distinct tags from taggable where tags is not null)
),

complete as (
    select object.tags
    from object
    join required on required.tag_key = object.entry.key
    where trim(object.entry.value) <> ''
    group by object.tags
    having count(distinct required.tag_key) = (select count(*) from required)
),

summed as (
    select
        taggable.billing_period,
        taggable.project,
        taggable.billing_currency,
        sum(taggable.effective_cost) as taggable_cost,
        sum(case when complete.tags is not null then taggable.effective_cost else 0 end)
            as complete_cost
    from taggable
    left join complete on complete.tags = taggable.tags
    group by all
),

final as (
    select
        *,
        taggable_cost - complete_cost as incomplete_cost,
        (100 * complete_cost / nullif(taggable_cost, 0))::decimal(18, 2) as complete_percent
    from summed
    order by billing_period, project, billing_currency
)

select * from final
