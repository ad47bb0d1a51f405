-- storage_costs_equal_charges: projects and months whose stored GB-months or costs differ from
--   those of the charges.
-- reads: resource_daily_costs, storage_costs
-- rows only from: resource_daily_costs where consumed_unit in ('GB-Months', 'GB-month', 'GB-months')
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        sum(consumed_quantity) as gigabyte_months,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
        and consumed_unit in ('GB-Months', 'GB-month', 'GB-months')
    group by all
),

-- a row without GB-months has charges in another unit
summed as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        count(*) filter (gigabyte_months is null) as without_size,
        sum(gigabyte_months) as gigabyte_months,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from storage_costs
    group by all
),

final as (
    select
        project,
        billing_period,
        source,
        billing_currency,
        charged.gigabyte_months as gigabyte_months_by_charges,
        summed.gigabyte_months as gigabyte_months_by_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart
    from charged
    left join summed using (project, billing_period, source, billing_currency)
    where summed.without_size is null
        or summed.without_size = 0 and (
            charged.gigabyte_months is distinct from summed.gigabyte_months
            or charged.billed_cost is distinct from summed.billed_cost
            or charged.effective_cost is distinct from summed.effective_cost
            or charged.list_cost is distinct from summed.list_cost
        )
)

select * from final
