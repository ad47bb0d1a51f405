-- required_tag_coverage_equals_charges: required sets whose tagged and untagged costs are not the
--   sum of what could have tags among the charges by resource and day that the set is about.
-- reads: resource_daily_costs, required_tag_keys, required_tag_coverage
-- rows only from: required_tag_keys; required_tag_coverage
-- on failure: refuse

with

required_set as (
    select distinct
        required_set,
        cast(cast(services as json) as varchar[]) as services,
        cast(cast(projects as json) as varchar[]) as projects,
        cast(cast(environments as json) as varchar[]) as environments
    from required_tag_keys
),

charged as (
    select
        charge.billing_period,
        required_set.required_set,
        charge.billing_currency,
        sum(charge.effective_cost) as taggable_cost
    from resource_daily_costs as charge
    inner join required_set
        on coalesce(
            list_has_any(services, [charge.service_name, charge.service_code]), true
        )
        and coalesce(list_contains(projects, charge.project), true)
        and case when environments is null then true
            else coalesce(list_contains(environments, charge.environment), false) end
    where charge.charge_category = 'Usage'
        and charge.charge_group in ('usage', 'commitments', 'marketplace')
        and charge.row_kind = 'line'
        and charge.commitment_discount_status is distinct from 'Unused'
        and coalesce(charge.resource_id, '') <> ''
    group by all
),

summed as (
    select
        billing_period,
        required_set,
        billing_currency,
        sum(taggable_cost) as taggable_cost,
        sum(tagged_cost + untagged_cost) as tagged_and_untagged_cost
    from required_tag_coverage
    group by all
),

final as (
    select
        coalesce(charged.billing_period, summed.billing_period) as billing_period,
        coalesce(charged.required_set, summed.required_set) as required_set,
        coalesce(charged.billing_currency, summed.billing_currency) as billing_currency,
        charged.taggable_cost as taggable_by_charges,
        summed.taggable_cost as taggable_by_mart,
        summed.tagged_and_untagged_cost
    from charged
    full join summed
        on summed.billing_period = charged.billing_period
        and summed.required_set = charged.required_set
        and summed.billing_currency = charged.billing_currency
    where charged.taggable_cost is distinct from summed.taggable_cost
        or summed.taggable_cost is distinct from summed.tagged_and_untagged_cost
)

select * from final
