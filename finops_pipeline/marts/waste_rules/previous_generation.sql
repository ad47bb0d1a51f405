-- previous_generation: A Linux instance of an older generation, whose successor of the same size
--   costs less.
-- rule: A11
-- version: 2
-- tier: A
-- reads: prices, recent_usage
-- window: 30 complete days
-- meters: AmazonEC2/BoxUsage:(m3|m4|c3|c4|r3|r4|t2)\..*
-- part: compute
-- normalised by: Hours
-- disproved by: Software that needs the older hardware, or a successor with less memory.
-- price source: the same bill's list price of the other meter, else `prices`
-- effort: medium
-- risk: medium
--
-- Instances that a commitment covers save nothing by changing, and Spot has prices of its own:
-- both are left out.

with

usage as (
    select
        source,
        sub_account_id,
        region_id,
        service_code,
        resource_id,
        project,
        billing_currency,
        gap,
        gap_cure,
        'BoxUsage:' || case regexp_extract(meter, '^BoxUsage:([a-z0-9]+)\.', 1) when 'm3' then 'm5' when 'm4' then 'm5' when 'c3' then 'c5' when 'c4' then 'c5' when 'r3' then 'r5' when 'r4' then 'r5' when 't2' then 't3' end || regexp_extract(meter, '(\.[a-z0-9]+)$', 1) as price_code,
        coalesce(sum(consumed_quantity), 0) as quantity,
        coalesce(sum(list_cost), 0) as list_cost,
        coalesce(sum(own_cost), 0) as cost
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and operation = 'RunInstances' and spot_quantity = 0 and covered_quantity = 0 and regexp_extract(meter, '^BoxUsage:([a-z0-9]+)\.', 1) in ('m3', 'm4', 'c3', 'c4', 'r3', 'r4', 't2')
    group by all
),

priced as (
    select
        usage.*,
        prices.price,
        prices.source_url as price_source,
        cost_at_price(usage.quantity, prices.price) as new_cost,
        saving_at_own_rate(cost, list_cost, new_cost) as saving
    from usage
    left join prices
        on prices.service_code = usage.service_code
        and prices.price_code = usage.price_code
        and prices.region_id = usage.region_id
        and prices.currency = usage.billing_currency
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null and saving is not null then 'found' else 'unknown' end as state,
    case
        when gap is not null then gap
        when price is null then 'No price of ' || price_code || ' is known for this region.'
        when list_cost <= 0
        then 'The bill has no list price of this usage, with which the saving is computed.'
        when saving is null then 'The amounts are too large for an exact saving.'
    end as reason,
    case
        when gap is not null then gap_cure
        when price is null then 'Add the price to the list of the installation (FINOPS_PRICES).'
        when list_cost <= 0 then 'Add the columns of public on-demand costs to the export.'
        when saving is null then 'Compare list_cost and new_cost of the evidence.'
    end as cure,
    cost,
    case when gap is null then saving end as monthly_saving,
    price as price,
    price_source as price_source,
    'medium' as confidence,
    to_json({'quantity': quantity::varchar, 'list_cost': list_cost::varchar, 'new_cost': new_cost::varchar, 'price_code': price_code::varchar})::varchar as evidence
from priced
where gap is not null or (cost > 0 and coalesce(saving > 0, true))
