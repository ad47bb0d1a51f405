-- required_tag_coverage: how much of the cost that could have tags has all tags of a required set.
-- grain: billing_period, required_set, project, sub_account_id, service_name, billing_currency
-- money: taggable_cost, tagged_cost, untagged_cost (effective cost in billing currency, exact
--        decimal)
-- reads: resource_daily_costs, required_tag_keys
-- rows only from: required_tag_keys
-- lookback: 0 months
-- check: required_tag_coverage_equals_charges
-- slice: project, billing_period
--
-- A missing value, an empty one and one that is not allowed are all untagged. The same cost is in
-- the rows of every set that it belongs to, so that costs of different sets are never added up.

with

required as (
    select
        *,
        cast(cast(allowed_values as json) as varchar[]) as allowed
    from required_tag_keys
),

required_set as (
    select
        required_set,
        count(distinct tag_key) as keys,
        cast(cast(any_value(services) as json) as varchar[]) as services,
        cast(cast(any_value(projects) as json) as varchar[]) as projects,
        cast(cast(any_value(environments) as json) as varchar[]) as environments
    from required
    group by required_set
),

-- without a set there is nothing to read
taggable as (
    select
        resource_day.*,
        required_set.required_set
    from resource_daily_costs as resource_day
    inner join required_set
        on (
            required_set.services is null
            or list_contains(required_set.services, resource_day.service_name)
            or list_contains(required_set.services, resource_day.service_code)
        )
        and (
            required_set.projects is null
            or list_contains(required_set.projects, resource_day.project)
        )
        and (
            required_set.environments is null
            or list_contains(required_set.environments, resource_day.environment)
        )
    where resource_day.charge_category = 'Usage'
        and resource_day.charge_group in ('usage', 'commitments', 'marketplace')
        and resource_day.row_kind = 'line'
        and resource_day.commitment_discount_status is distinct from 'Unused'
        and coalesce(resource_day.resource_id, '') <> ''
),

object as (
    select
        tags,
        unnest(map_entries(try_cast(try_cast(tags as json) as map(varchar, varchar)))) as entry
    from (select distinct tags from taggable where tags is not null)
),

complete as (
    select
        object.tags,
        required.required_set
    from object
    inner join required
        on object.entry.key = required.spelling
        or (
            not required.is_exact
            and regexp_replace(lower(object.entry.key), '[-_ ]', '', 'g')
            = regexp_replace(lower(required.spelling), '[-_ ]', '', 'g')
        )
    inner join required_set on required_set.required_set = required.required_set
    where trim(object.entry.value) <> ''
        and (
            required.allowed is null
            or list_contains(required.allowed, trim(object.entry.value))
        )
    group by object.tags, required.required_set, required_set.keys
    having count(distinct required.tag_key) = required_set.keys
),

final as (
    select
        taggable.billing_period,
        taggable.required_set,
        taggable.project,
        taggable.environment,
        taggable.business_unit,
        taggable.sub_account_id,
        taggable.service_name,
        taggable.billing_currency,
        sum(taggable.effective_cost) as taggable_cost,
        sum(case when complete.tags is not null then taggable.effective_cost else 0 end)
            as tagged_cost,
        sum(case when complete.tags is null then taggable.effective_cost else 0 end)
            as untagged_cost
    from taggable
    left join complete
        on complete.tags = taggable.tags
        and complete.required_set = taggable.required_set
    group by all
)

select * from final
