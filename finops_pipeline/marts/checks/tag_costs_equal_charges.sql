-- tag_costs_equal_charges: keys whose rows, including costs without the key, are not the sum of a
--   month's charges by resource and day.
-- reads: resource_daily_costs, tag_costs
-- rows only from: tag_costs
-- on failure: refuse

with

charged as (
    select
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
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
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(taggable_cost) as taggable_cost
    from tag_costs
    group by all
),

final as (
    select
        summed.billing_period,
        summed.tag_kind,
        summed.tag_key,
        summed.billing_currency,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        charged.taggable_cost as taggable_by_charges,
        summed.taggable_cost as taggable_by_mart
    from summed
    left join charged
        on charged.billing_period = summed.billing_period
        and charged.billing_currency = summed.billing_currency
    where charged.charges is distinct from summed.charges
        or charged.billed_cost is distinct from summed.billed_cost
        or charged.effective_cost is distinct from summed.effective_cost
        or charged.taggable_cost is distinct from summed.taggable_cost
)

select * from final
