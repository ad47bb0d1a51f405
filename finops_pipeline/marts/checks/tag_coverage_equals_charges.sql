-- tag_coverage_equals_charges: keys whose tagged and untagged costs are not the sum of a month's
--   taggable charges by resource and day.
-- reads: resource_daily_costs, tag_coverage
-- rows only from: tag_coverage
-- on failure: refuse

with

charged as (
    select
        billing_period,
        billing_currency,
        sum(
            case
                when charge_category = 'Usage'
                and charge_group in ('usage', 'commitments', 'marketplace')
                and row_kind = 'line'
                and commitment_discount_status is distinct from 'Unused'
                and coalesce(resource_id, '') <> ''
                then effective_cost
                else 0
            end
        ) as taggable_cost
    from resource_daily_costs
    group by all
),

summed as (
    select
        billing_period,
        tag_kind,
        tag_key,
        billing_currency,
        sum(taggable_cost) as taggable_cost,
        sum(tagged_cost + untagged_cost) as tagged_and_untagged_cost
    from tag_coverage
    group by all
),

final as (
    select
        summed.billing_period,
        summed.tag_kind,
        summed.tag_key,
        summed.billing_currency,
        charged.taggable_cost as taggable_by_charges,
        summed.taggable_cost as taggable_by_mart,
        summed.tagged_and_untagged_cost
    from summed
    left join charged
        on charged.billing_period = summed.billing_period
        and charged.billing_currency = summed.billing_currency
    where charged.taggable_cost is distinct from summed.taggable_cost
        or summed.taggable_cost is distinct from summed.tagged_and_untagged_cost
)

select * from final
