-- savings_realised: what finished findings have saved in each later month, from the bill.
-- grain: billing_period, finding_id
-- money: baseline_cost, expected_cost, effective_cost, realised_saving (billing currency)
-- reads: waste_decisions, recent_usage, resource_daily_costs
--
-- The baseline is what the resource used and cost in 30 days before the change. If it still exists,
-- and its rule compares usage, the usage of the month at the rate before is compared with what it
-- cost. If it is gone, or its rule compares days, the same number of days is. What is priced by the
-- month costs more on a day of a short month, so its days count as parts of a month. A resource that
-- began within the 30 days is compared with the days since then. Only complete days after the day of
-- the change count. A month in which another project pays for the resource is left out, unless
-- several did when the change was finished: it has moved, and that saves nothing.

with

finished as (
    select
        finding_id,
        done_on,
        finding ->> 'rule' as rule,
        finding ->> 'project' as project,
        finding ->> 'source' as source,
        finding ->> 'sub_account_id' as sub_account_id,
        finding ->> 'region_id' as region_id,
        finding ->> 'service_code' as service_code,
        finding ->> 'resource_id' as resource_id,
        finding ->> 'billing_currency' as billing_currency,
        baseline ->> 'unit' as unit,
        lower(finding ->> 'is_in_several_projects') = 'true' as was_shared,
        (baseline ->> 'quantity')::decimal(38, 18) as baseline_quantity,
        (baseline ->> 'cost')::decimal(38, 18) as baseline_cost,
        coalesce((baseline ->> 'monthly_cost')::decimal(38, 18), 0) as monthly_cost,
        coalesce((baseline ->> 'month_cost_by_days')::decimal(38, 18), 0) as month_cost_by_days,
        coalesce((baseline ->> 'days')::bigint, 30) as baseline_days
    from waste_decisions
    where status = 'done' and done_on is not null
),

newest as (
    select source, max(window_end) as window_end from recent_usage group by source
),

month as (
    select distinct source, billing_period from resource_daily_costs
),

counted as (
    select
        finished.*,
        month.billing_period,
        greatest(done_on + 1, (month.billing_period || '-01')::date) as first_day,
        least(newest.window_end, last_day((month.billing_period || '-01')::date)) as newest_day,
        date_diff('day', first_day, newest_day) + 1 as days
    from finished
    inner join month on month.source = finished.source
    inner join newest on newest.source = finished.source
    where newest_day >= first_day
),

line as (
    select
        counted.finding_id,
        counted.billing_period,
        costs.usage_type,
        costs.operation,
        costs.consumed_unit,
        min(costs.charge_date) as from_day,
        max(costs.charge_date) as to_day,
        sum(costs.charges)::bigint as charges,
        coalesce(sum(costs.consumed_quantity), 0) as consumed_quantity,
        sum(costs.effective_cost) as effective_cost
    from counted
    inner join resource_daily_costs as costs
        on costs.source = counted.source
        and costs.sub_account_id is not distinct from counted.sub_account_id
        and costs.service_code is not distinct from counted.service_code
        and costs.resource_id = counted.resource_id
        and costs.billing_currency = counted.billing_currency
        and costs.charge_date between counted.first_day and counted.newest_day
    where costs.project = counted.project
        and costs.charge_category = 'Usage'
        and costs.charge_class is null
        and costs.row_kind = 'line'
        and costs.charge_group in ('usage', 'commitments')
    group by all
),

-- months in which other projects pay for the resource
elsewhere as (
    select distinct counted.finding_id, counted.billing_period
    from counted
    inner join resource_daily_costs as costs
        on costs.source = counted.source
        and costs.sub_account_id is not distinct from counted.sub_account_id
        and costs.service_code is not distinct from counted.service_code
        and costs.resource_id = counted.resource_id
        and costs.billing_currency = counted.billing_currency
        and costs.charge_date between counted.first_day and counted.newest_day
    where costs.project <> counted.project
        and not counted.was_shared
        and costs.charge_category = 'Usage'
        and costs.row_kind = 'line'
),

later as (
    select
        finding_id,
        billing_period,
        sum(consumed_quantity) filter (consumed_unit = unit) as quantity,
        sum(effective_cost) as effective_cost,
        to_json(
            list(
                {
                    'usage_type': usage_type,
                    'operation': operation,
                    'from': from_day,
                    'to': to_day,
                    'charges': charges,
                    'quantity': consumed_quantity::varchar,
                    'unit': consumed_unit,
                    'effective_cost': line.effective_cost::varchar
                }
                order by usage_type, operation, consumed_unit
            )
        )::varchar as bill_lines
    from line
    inner join (select finding_id, unit from finished) using (finding_id)
    group by all
),

compared as (
    select
        counted.*,
        later.bill_lines,
        coalesce(later.effective_cost, 0) as effective_cost,
        later.finding_id is null as is_gone,
        case
            when counted.unit is null or later.quantity is null or counted.baseline_quantity <= 0
            then 'days'
            else counted.unit
        end as normalised_by,
        case when normalised_by = 'days' then baseline_days else counted.baseline_quantity end::decimal(38, 18)
            as quantity_before,
        case when normalised_by = 'days' then days else later.quantity end::decimal(38, 18)
            as quantity
    from counted
    left join later using (finding_id, billing_period)
),

-- whole numbers of 1e-12, and of 1e-6 for quantities: their division is exact
whole as (
    select
        *,
        day(last_day((billing_period || '-01')::date)) as month_days,
        try((baseline_cost::decimal(38, 12) * 1000000000000)::hugeint) as cost_before,
        try((monthly_cost::decimal(38, 12) * 1000000000000)::hugeint) as monthly_before,
        try((month_cost_by_days::decimal(38, 12) * 1000000000000)::hugeint) as by_days_before
    from compared
),

expected as (
    select
        *,
        try(
            case
                when normalised_by = 'days'
                then ((cost_before - monthly_before) * month_days + by_days_before) * days
                    // nullif(baseline_days * month_days, 0)
                else cost_before * (quantity * 1000000)::hugeint
                    // nullif((quantity_before * 1000000)::hugeint, 0)
            end::decimal(26, 0)
            * 0.000000000001::decimal(12, 12)
        )::decimal(38, 18) as expected_cost
    from whole
),

final as (
    select
        billing_period,
        finding_id,
        rule,
        project,
        source,
        sub_account_id,
        region_id,
        resource_id,
        billing_currency,
        done_on,
        days,
        normalised_by,
        quantity_before as baseline_quantity,
        baseline_cost,
        quantity,
        expected_cost,
        effective_cost,
        expected_cost - effective_cost as realised_saving,
        is_gone,
        coalesce(bill_lines, '[]') as bill_lines
    from expected
    anti join elsewhere using (finding_id, billing_period)
)

select * from final
