-- unused_commitment_days: the unused part of reservations and Savings Plans, on the days it covers.
-- grain: billing_period, charge_date, project, source, sub_account_id, region_id,
--        availability_zone, service_name, service_code, publisher_name, billing_entity,
--        charge_category, charge_class, charge_frequency, line_item_type, row_kind,
--        usage_type, operation, instance_type, pricing_category, commitment_discount_id,
--        commitment_discount_status, resource_id, resource_name, resource_type, tags,
--        cost_categories, billing_currency
-- money: effective_cost; net_effective_cost, null unless every charge of the group states it
--        (billing currency)
-- reads: costs
-- rows only from: costs where x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused'
-- lookback: 0 months
-- check: unused_days_equal_charges
-- slice: project, billing_period
--
-- AWS states the unused part of a reservation once a month, on the row of its fee. Cost Explorer
-- spreads amortized cost over the days of the billing period (AWS "Exploring your data using Cost
-- Explorer": amortized costs are "broken out into the effective daily rate"); here it is spread in
-- proportion to time. In an unfinished month, the part that is not used yet counts on the days
-- still to come (decision 50). A day's amount has ten decimals, as in Cost Explorer; the days of a
-- charge add up to it exactly.

with

unused as (
    select
        billing_period,
        project,
        x_Source as source,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        AvailabilityZone as availability_zone,
        ServiceName as service_name,
        x_ServiceCode as service_code,
        PublisherName as publisher_name,
        x_BillingEntity as billing_entity,
        ChargeCategory as charge_category,
        ChargeClass as charge_class,
        ChargeFrequency as charge_frequency,
        x_LineItemType as line_item_type,
        x_RowKind as row_kind,
        x_UsageType as usage_type,
        x_Operation as operation,
        x_InstanceType as instance_type,
        PricingCategory as pricing_category,
        CommitmentDiscountId as commitment_discount_id,
        CommitmentDiscountStatus as commitment_discount_status,
        ResourceId as resource_id,
        ResourceName as resource_name,
        ResourceType as resource_type,
        Tags as tags,
        x_CostCategories as cost_categories,
        BillingCurrency as billing_currency,
        EffectiveCost as cost,
        x_NetEffectiveCost as net_cost,
        strptime(billing_period || '-01', '%Y-%m-%d') as month_start,
        greatest(ChargePeriodStart, month_start) as overlap_start,
        least(ChargePeriodEnd, month_start + interval 1 month) as overlap_end,
        overlap_start < overlap_end as is_in_month,
        case when is_in_month then overlap_start else ChargePeriodStart end as first_moment,
        case when is_in_month then overlap_end else ChargePeriodStart + interval 1 hour end
            as end_moment,
        -- a charge is divided only at a time within its days
        case when x_UseKnownUntil > first_moment and x_UseKnownUntil < end_moment
            then x_UseKnownUntil end as known_until,
        case when known_until is not null then coalesce(x_NotYetUsedCost, 0) else 0 end
            as later_cost
    from costs
    where x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused'
),

-- the net amount is divided as the gross one is
divided as (
    select
        *,
        case
            when later_cost = 0 then 0
            when abs(net_cost) < 1000000000 and abs(cost) < 1000000000
            then (
                (net_cost * 10000000000)::hugeint * (later_cost * 10000000000)::hugeint
                // nullif((cost * 10000000000)::hugeint, 0)
            )::decimal(28, 0) * 0.0000000001
        end::decimal(38, 18) as net_later_cost
    from unused
),

part as (
    select
        * replace (
            cost - later_cost as cost,
            net_cost - coalesce(net_later_cost, 0) as net_cost,
            coalesce(known_until, end_moment) as end_moment
        )
    from divided
    union all by name
    select
        * replace (
            later_cost as cost,
            case when net_cost is not null then coalesce(net_later_cost, 0) end as net_cost,
            known_until as first_moment
        )
    from divided
    where later_cost <> 0
),

day as (
    select
        *,
        date_diff('second', first_moment, end_moment) as seconds,
        unnest(
            generate_series(
                date_trunc('day', first_moment), end_moment - interval 1 second, interval 1 day
            )
        ) as day_start
    from part
),

-- the time that has passed before a day, and by its end
passed as (
    select
        *,
        greatest(date_diff('second', first_moment, day_start), 0) as seconds_before,
        least(date_diff('second', first_moment, day_start + interval 1 day), seconds)
            as seconds_by_end,
        -- amounts too large for this arithmetic fall on the last day
        abs(cost) < 1000000000 as is_divisible,
        coalesce(abs(net_cost) < 1000000000, false) as is_net_divisible
    from day
),

shared as (
    select
        *,
        case
            when is_divisible then (
                ((cost * 10000000000)::hugeint * seconds_before // seconds)::decimal(28, 0)
                * 0.0000000001
            )::decimal(38, 18)
            else 0
        end as cost_before,
        case
            when seconds_by_end = seconds then cost
            when is_divisible then (
                ((cost * 10000000000)::hugeint * seconds_by_end // seconds)::decimal(28, 0)
                * 0.0000000001
            )::decimal(38, 18)
            else 0
        end as cost_by_end,
        case
            when is_net_divisible then (
                ((net_cost * 10000000000)::hugeint * seconds_before // seconds)::decimal(28, 0)
                * 0.0000000001
            )::decimal(38, 18)
            when net_cost is not null then 0
        end as net_before,
        case
            when seconds_by_end = seconds then net_cost
            when is_net_divisible then (
                ((net_cost * 10000000000)::hugeint * seconds_by_end // seconds)::decimal(28, 0)
                * 0.0000000001
            )::decimal(38, 18)
            when net_cost is not null then 0
        end as net_by_end
    from passed
),

final as (
    select
        billing_period,
        cast(day_start as date) as charge_date,
        project,
        source,
        sub_account_id,
        region_id,
        availability_zone,
        service_name,
        service_code,
        publisher_name,
        billing_entity,
        charge_category,
        charge_class,
        charge_frequency,
        line_item_type,
        row_kind,
        usage_type,
        operation,
        instance_type,
        pricing_category,
        commitment_discount_id,
        commitment_discount_status,
        resource_id,
        resource_name,
        resource_type,
        tags,
        cost_categories,
        billing_currency,
        sum(cost_by_end - cost_before) as effective_cost,
        case when count(net_by_end) = count(*) then sum(net_by_end - net_before) end
            as net_effective_cost
    from shared
    group by all
)

select * from final
