-- gp2_to_gp3: A gp2 volume, which costs less as gp3 with the same speed.
-- rule: A08
-- version: 2
-- tier: A
-- reads: prices, recent_usage
-- window: 30 complete days
-- meters: (AmazonEC2)/EBS:VolumeUsage\.gp2
-- part: storage
-- normalised by: GB-Months
-- disproved by: Bursts above the speed of the gp3 volume that the saving was computed with.
-- price source: the same bill's list price of the other meter, else `prices`
-- effort: low
-- risk: low
--
-- The size is the amount of GB-months by the part of a month in which the volume existed, never
-- the amount itself: a volume of 4 TB that existed for ten days is not one of 1.3 TB. gp2 has 3
-- IOPS per GB, and 128 MB/s up to 170 GB, 250 MB/s from 334 GB on; gp3 has 3000 IOPS and 125 MB/s
-- included. The rest is bought, for the volume's time.

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
        'EBS:VolumeUsage.gp3' as price_code,
        coalesce(sum(consumed_quantity), 0) as quantity,
        coalesce(sum(list_cost), 0) as list_cost,
        coalesce(sum(own_cost), 0) as cost,
        max(days) as days,
        max(day(last_day(window_end))) as month_days
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter = 'EBS:VolumeUsage.gp2'
    group by all
),

-- AWS, "Amazon EBS volume types": what a gp2 volume of this size can do beyond the gp3 baseline
sized as (
    select
        *,
        try((quantity::decimal(24, 6) * month_days * 1000)::hugeint // nullif(days * 1000, 0)) as gigabytes,
        greatest(least(3 * gigabytes, 16000) - 3000, 0) as more_iops,
        case when gigabytes <= 170 then 3 else 125 end as more_megabytes_per_second
    from usage
),

priced as (
    select
        sized.*,
        prices.price,
        prices.source_url as price_source,
        prices.price is null
            or throughput.price is null
            or (more_iops > 0 and iops.price is null) as is_unpriced,
        -- what is bought counts for the part of the month in which the volume existed
        try(
            cost_at_price(quantity, prices.price)
            + (
                (
                    case when more_iops > 0 then more_iops * iops.price else 0 end
                    + more_megabytes_per_second * throughput.price
                )::decimal(20, 12)
                * ((1000000 * days) // nullif(month_days, 0))::decimal(10, 0)
                * 0.000001::decimal(6, 6)
            )::decimal(38, 18)
        )::decimal(38, 18) as new_cost,
        saving_at_own_rate(cost, list_cost, new_cost) as saving
    from sized
    left join prices
        on prices.service_code = sized.service_code
        and prices.price_code = sized.price_code
        and prices.region_id = sized.region_id
        and prices.currency = sized.billing_currency
    left join prices as iops
        on iops.service_code = sized.service_code
        and iops.price_code = 'EBS:VolumeP-IOPS.gp3'
        and iops.region_id = sized.region_id
        and iops.currency = sized.billing_currency
    left join prices as throughput
        on throughput.service_code = sized.service_code
        and throughput.price_code = 'EBS:VolumeP-Throughput.gp3'
        and throughput.region_id = sized.region_id
        and throughput.currency = sized.billing_currency
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
        when is_unpriced
        then 'No price of gp3 storage, IOPS or throughput is known for this region.'
        when list_cost <= 0
        then 'The bill has no list price of this usage, with which the saving is computed.'
        when saving is null then 'The amounts are too large for an exact saving.'
    end as reason,
    case
        when gap is not null then gap_cure
        when is_unpriced
        then 'Add the price to the list of the installation (FINOPS_PRICES).'
        when list_cost <= 0 then 'Add the columns of public on-demand costs to the export.'
        when saving is null then 'Compare list_cost and new_cost of the evidence.'
    end as cure,
    cost,
    case when gap is null then saving end as monthly_saving,
    price as price,
    price_source as price_source,
    'medium' as confidence,
    to_json({'quantity': quantity::varchar, 'list_cost': list_cost::varchar, 'new_cost': new_cost::varchar, 'price_code': price_code::varchar, 'days': days::varchar, 'gigabytes': gigabytes::varchar, 'more_iops': more_iops::varchar,
        'more_megabytes_per_second': more_megabytes_per_second::varchar})::varchar as evidence
from priced
where gap is not null or (cost > 0 and coalesce(saving > 0, true))
