-- lambda_on_arm: A function on x86, whose memory and time cost less on ARM.
-- rule: A14
-- version: 2
-- tier: A
-- reads: prices, recent_usage
-- window: 30 complete days
-- meters: AWSLambda/Lambda-GB-Second
-- part: duration
-- normalised by: GB-Seconds
-- disproved by: A dependency without a build for ARM, or a longer run time on ARM.
-- price source: the same bill's list price of the other meter, else `prices`
-- effort: low
-- risk: medium
--
-- Requests cost the same on both, and usage that a Savings Plan covers saves nothing: both are
-- left out.

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
        'Lambda-GB-Second-ARM' as price_code,
        coalesce(sum(consumed_quantity), 0) as quantity,
        coalesce(sum(list_cost), 0) as list_cost,
        coalesce(sum(own_cost), 0) as cost
    from recent_usage
    where presence = 'present'
        and service_code = 'AWSLambda' and meter = 'Lambda-GB-Second' and covered_quantity = 0
    group by all
),

priced as (
    select
        usage.*,
        prices.price,
        prices.source_url as price_source,
        try(usage.quantity::decimal(26, 6) * prices.price::decimal(18, 12))::decimal(38, 18) as new_cost
    from usage
    left join prices
        on prices.service_code = usage.service_code
        and prices.price_code = usage.price_code
        and prices.region_id = usage.region_id
        and prices.currency = usage.billing_currency
),

saved as (
    select
        *,
        try(case
            when price is not null and list_cost > 0 and new_cost < list_cost and cost > 0
            then case
                when cost = list_cost then list_cost - new_cost
                else (
                    cost::decimal(24, 12)
                    * (
                        (((list_cost - new_cost) * 1000000000)::hugeint * 1000000000000
                        // nullif((list_cost * 1000000000)::hugeint, 0))::decimal(14, 0)
                        * 0.000000000001::decimal(12, 12)
                    )::decimal(14, 12)
                )::decimal(38, 18)
            end
        end
        ) as saving
    from priced
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null then 'found' else 'unknown' end as state,
    case
        when gap is not null then gap
        when price is null then 'No price of ' || price_code || ' is known for this region.'
        when list_cost <= 0 then 'The bill has no list price of this usage, with which the saving is computed.'
    end as reason,
    case
        when gap is not null then gap_cure
        when price is null then 'Add the price to the list of the installation (FINOPS_PRICES).'
        when list_cost <= 0 then 'Add the columns of public on-demand costs to the export.'
    end as cure,
    cost,
    case when gap is null then saving end as monthly_saving,
    price as price,
    price_source as price_source,
    'medium' as confidence,
    to_json({'quantity': quantity::varchar, 'list_cost': list_cost::varchar, 'new_cost': new_cost::varchar, 'price_code': price_code::varchar})::varchar as evidence
from saved
where gap is not null or (cost > 0 and (price is null or list_cost <= 0 or saving > 0))
