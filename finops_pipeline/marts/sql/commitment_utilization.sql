-- commitment_utilization: how much of each reservation and Savings Plan was used in a month.
-- grain: billing_period, source, commitment_discount_id, billing_currency
-- money: total_cost, used_cost, unused_cost, not_yet_used_cost, used_elsewhere_cost (amortized;
--        billing currency)
-- reads: commitment_utilization_hourly, projects
-- rows only from: commitment_utilization_hourly
-- lookback: 0 months
-- check: utilization_is_explained
-- slice: billing_period
--
-- The bill states the cost and the unused part of a commitment with its fee; the difference was
-- used. On-demand prices of fees are not used, and in an unfinished month the hours still to come
-- do not count. If the bill has no fees (a FOCUS export without an amortized upfront payment), the
-- total is the sum of the used and the unused part.

with

project as (
    select * from projects
),

period as (
    select * from commitment_utilization_hourly
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
        billing_currency,
        sum(charges)::bigint as charges,
        count(fees_billed) > 0 as has_fee,
        count(fees_billed) = count(upfront_share) as has_upfront_share,
        sum(committed_quantity) as total_quantity,
        coalesce(sum(unused_quantity), 0) as idle_quantity,
        sum(covered_quantity) as covered_quantity,
        sum(fees_billed) + sum(upfront_share) as fee_cost,
        coalesce(sum(used_cost), 0) as used_cost,
        coalesce(sum(unused_cost), 0) as unused_cost,
        coalesce(sum(not_yet_used_cost), 0) as not_yet_used_cost
    from period
    group by all
    -- an upfront payment alone does not show any use
    having count(fees_billed) + count(used_cost) + count(unused_cost) > 0
),

measured as (
    select
        *,
        case
            when not has_fee then null
            when has_upfront_share then fee_cost
            else used_cost + unused_cost
        end as total_cost,
        total_cost - used_cost - unused_cost as elsewhere_cost,
        -- AWS states amounts to ten decimals
        abs(elsewhere_cost) > 0.000000001 * charges as is_used_elsewhere
    from summed
),

final as (
    select
        measured.billing_period,
        measured.source,
        measured.project,
        project.environment,
        project.business_unit,
        owner_account_id,
        commitment_discount_id,
        commitment_discount_type,
        commitment_discount_unit,
        billing_currency,
        total_quantity,
        case when has_fee then total_quantity - idle_quantity end as used_quantity,
        case when has_fee then idle_quantity end as unused_quantity,
        covered_quantity,
        case
            when not_yet_used_cost = 0
            then try_cast(
                100 * ((total_quantity - idle_quantity) / nullif(total_quantity, 0))
                as decimal(18, 2)
            )
        end as used_quantity_percent,
        total_cost,
        used_cost,
        unused_cost,
        not_yet_used_cost,
        case when is_used_elsewhere then elsewhere_cost when has_fee then 0 end
            as used_elsewhere_cost,
        try_cast(
            100 * ((total_cost - unused_cost) / nullif(total_cost - not_yet_used_cost, 0))
            as decimal(18, 2)
        ) as used_percent,
        case
            when not has_fee then 'The fee is not in this bill, so the total is not known.'
            when unused_cost < 0 or idle_quantity < 0
            then 'According to the bill, more was used than was committed.'
            when total_cost = 0 then 'Nothing was committed in this month.'
            when is_used_elsewhere and elsewhere_cost > 0
            then 'Part was used by accounts that are not in this bill.'
            when is_used_elsewhere then 'Covered usage costs more than was used according to the fee.'
            when not_yet_used_cost <> 0
            then
                'The month is unfinished: hours still to come are unused but do not lower the'
                || ' percentage.'
        end as note
    from measured
    left join project on project.project = measured.project
)

select * from final
