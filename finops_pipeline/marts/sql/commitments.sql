-- commitments: the reservations and Savings Plans of a month, as of the newest day in the bill.
-- grain: billing_period, source, commitment_discount_id, billing_currency
-- money: hourly_commitment, recurring_hourly_cost, upfront_hourly_cost (per hour, ten decimals),
--        upfront_billed (billing currency)
-- reads: commitment_utilization_hourly, projects, resource_daily_costs
-- rows only from: commitment_utilization_hourly
-- lookback: 0 months
-- check: commitments_are_complete
-- slice: billing_period
--
-- Each month lists the commitments with charges in it, so the newest month is the current
-- inventory. Days left are counted from the newest day with usage in the bill, never from today.

with

project as (
    select * from projects
),

period as (
    select * from commitment_utilization_hourly
),

newest as (
    select billing_period, source, max(charge_date) as newest_day
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and commitment_discount_status is distinct from 'Unused'
    group by all
),

summed as (
    select
        billing_period,
        source,
        coalesce(
            arg_max(fee_project, period_start) filter (fee_project is not null),
            min(use_project)
        ) as project,
        max(owner_account_id) as owner_account_id,
        commitment_discount_id,
        max(commitment_discount_type) as commitment_discount_type,
        max(commitment_discount_unit) as commitment_discount_unit,
        max(offering) as offering,
        max(term) as term,
        max(payment_option) as payment_option,
        max(fee_service_name) as service_name,
        max(fee_region_id) as region_id,
        max(fee_instance_type) as instance_type,
        min(start_time) as start_time,
        max(end_time) as end_time,
        billing_currency,
        max(period_start)::date as newest_period,
        cast(sum(period_hours) filter (fees_billed is not null) as bigint) as fee_hours,
        sum(committed_quantity) as committed_quantity,
        sum(fees_billed) as fees_billed,
        sum(upfront_share) as upfront_share,
        sum(upfront_billed) as upfront_billed
    from period
    group by all
),

-- per hour with ten decimals, as AWS states amounts; amounts too large for this arithmetic are null
hourly as (
    select
        *,
        case
            when abs(committed_quantity) < 1000000000 and fee_hours > 0
            then ((committed_quantity * 10000000000)::hugeint // fee_hours)::decimal(28, 0)
                * 0.0000000001
        end::decimal(38, 18) as committed_quantity_per_hour,
        case
            when abs(fees_billed) < 1000000000 and fee_hours > 0
            then ((fees_billed * 10000000000)::hugeint // fee_hours)::decimal(28, 0)
                * 0.0000000001
        end::decimal(38, 18) as recurring_hourly_cost,
        case
            when abs(upfront_share) < 1000000000 and fee_hours > 0
            then ((upfront_share * 10000000000)::hugeint // fee_hours)::decimal(28, 0)
                * 0.0000000001
        end::decimal(38, 18) as upfront_hourly_cost,
        case
            when abs(fees_billed + upfront_share) < 1000000000 and fee_hours > 0
            then (((fees_billed + upfront_share) * 10000000000)::hugeint // fee_hours)::decimal(28, 0)
                * 0.0000000001
        end::decimal(38, 18) as fee_hourly_cost
    from summed
),

final as (
    select
        hourly.billing_period,
        coalesce(newest_day, newest_period) as as_of_day,
        hourly.source,
        hourly.project,
        project.environment,
        project.business_unit,
        owner_account_id,
        commitment_discount_id,
        commitment_discount_type,
        offering,
        term,
        payment_option,
        service_name,
        region_id,
        instance_type,
        start_time,
        end_time,
        -- greatest ignores nulls
        case
            when end_time is not null
            then greatest(date_diff('day', as_of_day, end_time::date), 0)
        end as days_left,
        committed_quantity_per_hour,
        commitment_discount_unit,
        -- a Savings Plan is committed in money
        coalesce(
            fee_hourly_cost,
            case when commitment_discount_type = 'Savings Plan' then committed_quantity_per_hour end
        ) as hourly_commitment,
        recurring_hourly_cost,
        upfront_hourly_cost,
        upfront_billed,
        billing_currency
    from hourly
    left join newest using (billing_period, source)
    left join project on project.project = hourly.project
)

select * from final
