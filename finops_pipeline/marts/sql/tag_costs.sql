-- tag_costs: costs of each value of each tag key, including costs without the key.
-- grain: billing_period, project, sub_account_id, service_name, tag_kind, tag_key, tag_value,
--        billing_currency
-- money: billed_cost, effective_cost, taggable_cost (billing currency, exact decimal)
-- reads: resource_daily_costs
-- rows only from: resource_daily_costs where tags is not null or cost_categories is not null
-- lookback: 0 months
-- check: tag_costs_equal_charges
-- slice: billing_period
--
-- Every key has rows for all costs of the month, so never add up several keys. Every key that any
-- project has in the month appears in all projects, so that its rows add up to the costs of the
-- month.

with

resource_day as (
    select
        *,
        charge_category = 'Usage'
        and charge_group in ('usage', 'commitments', 'marketplace')
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
        and coalesce(resource_id, '') <> '' as is_taggable
    from resource_daily_costs
),

summed as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        tags,
        cost_categories,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(case when is_taggable then effective_cost else 0 end) as taggable_cost
    from resource_day
    group by all
),

-- each object is parsed once, however many charges have it; text that is not JSON has no tags
tag_object as (
    select
        tags as object,
        unnest(map_entries(try_cast(try_cast(tags as json) as map(varchar, varchar)))) as entry
    from (select distinct tags from summed where tags is not null)
),

category_object as (
    select
        cost_categories as object,
        unnest(
            map_entries(try_cast(try_cast(cost_categories as json) as map(varchar, varchar)))
        ) as entry
    from (select distinct cost_categories from summed where cost_categories is not null)
),

entered as (
    select
        summed.*,
        case when starts_with(entry.key, 'aws:') then 'aws_tag' else 'user_tag' end as tag_kind,
        entry.key as tag_key,
        entry.value as tag_value
    from summed
    join tag_object on tag_object.object = summed.tags
    union all
    select
        summed.*,
        'cost_category' as tag_kind,
        entry.key as tag_key,
        entry.value as tag_value
    from summed
    join category_object on category_object.object = summed.cost_categories
),

tagged as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        tag_kind,
        tag_key,
        tag_value,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(taggable_cost) as taggable_cost
    from entered
    where tag_value is not null
    group by all
),

-- costs without a key are all costs minus those with it
key_of_month as (
    select distinct billing_period, tag_kind, tag_key from tagged
),

total as (
    select
        billing_period,
        project,
        environment,
        business_unit,
        sub_account_id,
        service_name,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(taggable_cost) as taggable_cost
    from summed
    group by all
),

signed as (
    select
        total.*,
        key_of_month.tag_kind,
        key_of_month.tag_key
    from total
    join key_of_month using (billing_period)
    union all by name
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
        -charges as charges,
        -billed_cost as billed_cost,
        -effective_cost as effective_cost,
        -taggable_cost as taggable_cost
    from tagged
),

without_key as (
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
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(taggable_cost) as taggable_cost
    from signed
    group by all
    having sum(charges) <> 0
        or sum(billed_cost) <> 0
        or sum(effective_cost) <> 0
        or sum(taggable_cost) <> 0
),

every as (
    select * from tagged
    union all by name
    select * from without_key
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
        tag_value,
        billing_currency,
        charges,
        billed_cost,
        effective_cost,
        taggable_cost
    from every
)

select * from final
