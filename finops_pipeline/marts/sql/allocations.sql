-- allocations: the values of all dimensions for each set of charges that the rules treat alike.
-- grain: billing_period, project, rules_since, charge_category, sub_account_id, region_id,
--        service_name, service_code, resource_id, resource_name, tags, cost_categories
-- money: none
-- reads: resource_daily_costs, allocation_days, projects, dimensions, allocation_rules,
--        allocation_conditions, key_spellings, value_mappings
-- rows only from: dimensions
-- lookback: 0 months
-- check: allocations_cover_charges
-- slice: project, billing_period
--
-- Patterns are compared with the distinct values of a column, and rules with the distinct sets of
-- conditions that charges meet, so that neither depends on the number of charges. A column that no
-- rule of the month uses is null. In environment and business_unit, charges that no rule matches
-- get the label of their project.

with

cost as (
    select * from resource_daily_costs
),

day as (
    select * from allocation_days
),

project as (
    select * from projects
),

dimension as (
    select * from dimensions
),

combination as materialized (
    select distinct
        cost.billing_period,
        cost.project,
        day.rules_since,
        cost.charge_category,
        case when day.has_account then cost.sub_account_id end as sub_account_id,
        case when day.has_region then cost.region_id end as region_id,
        case when day.has_service then cost.service_name end as service_name,
        case when day.has_service then cost.service_code end as service_code,
        case when day.has_resource then cost.resource_id end as resource_id,
        case when day.has_resource then cost.resource_name end as resource_name,
        case when day.has_tag then cost.tags end as tags,
        case when day.has_cost_category then cost.cost_categories end as cost_categories
    from cost
    inner join day
        on day.billing_period = cost.billing_period
        and day.project = cost.project
        and day.charge_date = cost.charge_date
    where exists (select 1 from dimension)
),

-- what rules require of a field, numbered
requirement as materialized (
    select *, row_number() over (order by rule, field, key) as requirement
    from (select distinct rule, field, key from allocation_conditions)
),

rule as materialized (
    select
        allocation_rules.*,
        coalesce(needed.requirements, []) as requirements
    from allocation_rules
    left join (
        select rule, list(requirement) as requirements from requirement group by rule
    ) as needed on needed.rule = allocation_rules.rule
),

criterion as materialized (
    select
        requirement.requirement,
        allocation_conditions.*
    from allocation_conditions
    inner join requirement
        on requirement.rule = allocation_conditions.rule
        and requirement.field = allocation_conditions.field
        and requirement.key = allocation_conditions.key
),

-- tags and cost categories
labels as (
    select distinct 'tag' as field, tags as label_text from combination where tags is not null
    union all
    select distinct 'cost_category', cost_categories
    from combination
    where cost_categories is not null
),

label_entry as (
    select
        *,
        unnest(
            map_entries(
                case
                    when json_valid(label_text)
                    then from_json(label_text, '"MAP(VARCHAR, VARCHAR)"')
                end
            )
        ) as entry
    from labels
),

-- an empty value counts as none
label as materialized (
    select
        label_entry.field,
        label_entry.label_text,
        key_spellings.key,
        first(
            trim(label_entry.entry.value) order by key_spellings.rank, label_entry.entry.key
        ) as value
    from label_entry
    inner join key_spellings
        on key_spellings.field = label_entry.field
        and regexp_replace(lower(key_spellings.spelling), '[-_ ]', '', 'g')
        = regexp_replace(lower(label_entry.entry.key), '[-_ ]', '', 'g')
        and (not key_spellings.is_exact or key_spellings.spelling = label_entry.entry.key)
    where trim(label_entry.entry.value) <> ''
    group by label_entry.field, label_entry.label_text, key_spellings.key
),

field_value as materialized (
    select distinct 'account' as field, '' as key, sub_account_id as value from combination
    union
    select distinct 'project', '', project from combination
    union
    select distinct 'region', '', region_id from combination
    union
    select distinct 'service', '', service_name from combination
    union
    select distinct 'service', '', service_code from combination
    union
    select distinct 'resource', '', resource_id from combination
    union
    select distinct 'resource', '', resource_name from combination
    union
    select distinct 'charge_category', '', charge_category from combination
    union
    select distinct field, key, value from label
),

meeting as (
    select field_value.field, field_value.key, field_value.value, criterion.requirement
    from field_value
    inner join criterion
        on criterion.field = field_value.field
        and criterion.key = field_value.key
        and criterion.prefix = field_value.value
    where criterion.is_exact
    union
    select field_value.field, field_value.key, field_value.value, criterion.requirement
    from field_value
    inner join criterion
        on criterion.field = field_value.field
        and criterion.key = field_value.key
    where not criterion.is_exact
        and starts_with(field_value.value, criterion.prefix)
        and ends_with(field_value.value, criterion.suffix)
        and length(field_value.value) >= length(criterion.prefix) + length(criterion.suffix)
        and contains(
            substring(
                field_value.value,
                length(criterion.prefix) + 1,
                length(field_value.value) - length(criterion.prefix) - length(criterion.suffix)
            ),
            criterion.middle
        )
),

met as materialized (
    select field, key, value, list(requirement order by requirement) as requirements
    from meeting
    group by field, key, value
),

label_result as materialized (
    select
        label.field,
        label.label_text,
        flatten(list(coalesce(met.requirements, []))) as requirements,
        list({'key': label.key, 'value': label.value} order by label.key) as entries
    from label
    left join met
        on met.field = label.field and met.key = label.key and met.value = label.value
    group by label.field, label.label_text
),

classified as (
    select
        combination.*,
        list_sort(
            list_distinct(
                flatten(
                    [
                        coalesce(account.requirements, []),
                        coalesce(of_project.requirements, []),
                        coalesce(region.requirements, []),
                        coalesce(service.requirements, []),
                        coalesce(service_code.requirements, []),
                        coalesce(resource.requirements, []),
                        coalesce(resource_name.requirements, []),
                        coalesce(charge_category.requirements, []),
                        coalesce(tag.requirements, []),
                        coalesce(category.requirements, [])
                    ]
                )
            )
        ) as requirements,
        coalesce(tag.entries, []) as tag_entries,
        coalesce(category.entries, []) as category_entries
    from combination
    left join met as account
        on account.field = 'account' and account.value = combination.sub_account_id
    left join met as of_project
        on of_project.field = 'project' and of_project.value = combination.project
    left join met as region
        on region.field = 'region' and region.value = combination.region_id
    left join met as service
        on service.field = 'service' and service.value = combination.service_name
    left join met as service_code
        on service_code.field = 'service' and service_code.value = combination.service_code
    left join met as resource
        on resource.field = 'resource' and resource.value = combination.resource_id
    left join met as resource_name
        on resource_name.field = 'resource' and resource_name.value = combination.resource_name
    left join met as charge_category
        on charge_category.field = 'charge_category'
        and charge_category.value = combination.charge_category
    left join label_result as tag on tag.field = 'tag' and tag.label_text = combination.tags
    left join label_result as category
        on category.field = 'cost_category' and category.label_text = combination.cost_categories
),

numbered as materialized (
    select
        *,
        dense_rank() over (
            order by project, rules_since, requirements, tag_entries, category_entries
        ) as signature
    from classified
),

signature as materialized (
    select distinct
        signature, project, rules_since, requirements,
        map_from_entries(tag_entries) as tag_values,
        map_from_entries(category_entries) as category_values
    from numbered
),

candidate as (
    select
        signature.signature,
        rule.dimension,
        rule.position,
        rule.rule,
        rule.rule_version,
        rule.mapping,
        case rule.value_source
            when 'tag' then signature.tag_values[rule.value_key]
            when 'cost_category' then signature.category_values[rule.value_key]
            else rule.value
        end as raw_value
    from signature
    inner join rule
        on list_has_all(signature.requirements, rule.requirements)
        and (rule.from_day is null or rule.from_day <= signature.rules_since)
        and (rule.to_day is null or rule.to_day > signature.rules_since)
),

first_match as (
    select
        signature,
        dimension,
        arg_min(
            {
                'rule': candidate.rule,
                'rule_version': candidate.rule_version,
                'value': coalesce(value_mappings.value, candidate.raw_value)
            },
            candidate.position
        ) as result
    from candidate
    left join value_mappings
        on value_mappings.mapping = candidate.mapping
        and lower(trim(value_mappings.spelling)) = lower(candidate.raw_value)
    where candidate.raw_value is not null
    group by signature, dimension
),

-- the label of the project, where no rule matches
value as (
    select
        signature.signature,
        dimension.dimension,
        case dimension.dimension
            when 'environment' then nullif(project.environment, 'unassigned')
            when 'business_unit' then project.business_unit
        end as label,
        coalesce(first_match.result.value, label) as value,
        coalesce(first_match.result.rule, case when label is not null then '(project)' end) as rule,
        first_match.result.rule_version as rule_version
    from signature
    cross join dimension
    left join project on project.project = signature.project
    left join first_match
        on first_match.signature = signature.signature
        and first_match.dimension = dimension.dimension
),

allocation as (
    select
        signature,
        to_json(map_from_entries(list({'key': dimension, 'value': value} order by dimension)))
            ::varchar as dimensions,
        to_json(map_from_entries(list({'key': dimension, 'value': rule} order by dimension)))
            ::varchar as allocation_rules,
        to_json(
            map_from_entries(list({'key': dimension, 'value': rule_version} order by dimension))
        )::varchar as allocation_rule_versions
    from value
    group by signature
),

final as (
    select
        numbered.billing_period,
        numbered.project,
        numbered.rules_since,
        numbered.charge_category,
        numbered.sub_account_id,
        numbered.region_id,
        numbered.service_name,
        numbered.service_code,
        numbered.resource_id,
        numbered.resource_name,
        numbered.tags,
        numbered.cost_categories,
        allocation.dimensions,
        allocation.allocation_rules,
        allocation.allocation_rule_versions
    from numbered
    inner join allocation on allocation.signature = numbered.signature
)

select * from final
