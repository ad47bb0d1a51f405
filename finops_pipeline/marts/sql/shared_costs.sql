-- shared_costs: what projects give and receive of shared costs in a month, beside their own costs.
-- grain: billing_period, shared_cost, direction, project, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost (billing currency): given and
--        received add up to exactly 0 for each shared cost, month and currency
-- reads: costs_to_share, shared_cost_shares, projects, shared_cost_rules
-- needs: shared_cost_rules
-- lookback: 0 months
-- check: shared_costs_equal_charges
-- slice: billing_period
--
-- Amounts are divided in whole numbers of 10^-18; what is left over goes, one unit each, to the
-- largest remainders, and among equal ones by the name of the project. A shared cost is split in a
-- step after those that it passes on.

with recursive

cost as (
    select * from costs_to_share
),

rule as (
    select * from shared_cost_rules
),

project_label as (
    select project, environment, business_unit from projects
),

shared as (
    select *, replace(share::varchar, '.', '')::hugeint as part from shared_cost_shares
),

own as (
    select
        billing_period,
        shared_cost,
        billing_currency,
        project,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from cost
    where shared_cost is not null
    group by all
),

direct as (
    select
        billing_period,
        shared_cost,
        billing_currency,
        project,
        unnest(['billed', 'effective', 'list', 'contracted']) as measure,
        unnest([
            replace(billed_cost::varchar, '.', '')::hugeint,
            replace(effective_cost::varchar, '.', '')::hugeint,
            replace(list_cost::varchar, '.', '')::hugeint,
            replace(contracted_cost::varchar, '.', '')::hugeint
        ]) as amount
    from own
),

-- each step has all of the step before, what is received in it, and what is passed on after it
flow as (
    select
        0::bigint as step,
        billing_period,
        shared_cost,
        billing_currency,
        'given' as direction,
        project,
        measure,
        amount
    from direct
    union all
    (
        with

        before as (
            select * from flow where step < (select max(step) from rule)
        ),

        due as (
            select
                before.billing_period,
                before.shared_cost,
                before.billing_currency,
                before.measure,
                sum(before.amount)::hugeint as total
            from before
            inner join rule
                on rule.shared_cost = before.shared_cost
                and rule.step = before.step + 1
            where before.direction = 'given'
            group by all
        ),

        cut as (
            select
                due.*,
                shared.project,
                -- units and their fractions apart, because the product would not fit
                (abs(due.total) // 1000000000000000000) * shared.part
                    + (abs(due.total) % 1000000000000000000) * shared.part
                    // 1000000000000000000 as cut_amount,
                (abs(due.total) % 1000000000000000000) * shared.part % 1000000000000000000
                    as rest
            from due
            inner join shared
                on shared.billing_period = due.billing_period
                and shared.shared_cost = due.shared_cost
                and shared.billing_currency = due.billing_currency
        ),

        split as (
            select
                billing_period,
                shared_cost,
                billing_currency,
                project,
                measure,
                (
                    cut_amount + (
                        row_number() over (same order by rest desc, project)
                        <= abs(total) - sum(cut_amount) over (same)
                    )::int
                ) * sign(total)::int as amount
            from cut
            window same as (
                partition by billing_period, shared_cost, billing_currency, measure
            )
        ),

        stays as (
            select
                before.billing_period,
                before.shared_cost,
                before.billing_currency,
                before.project,
                before.measure,
                sum(before.amount)::hugeint as amount
            from before
            inner join rule
                on rule.shared_cost = before.shared_cost
                and rule.step = before.step + 1
            left join shared
                on shared.billing_period = before.billing_period
                and shared.shared_cost = before.shared_cost
                and shared.billing_currency = before.billing_currency
            where before.direction = 'given' and shared.share is null
            group by all
        ),

        received as (
            select * from split
            union all
            select * from stays
        )

        select
            step + 1,
            billing_period,
            shared_cost,
            billing_currency,
            direction,
            project,
            measure,
            amount
        from before
        union all
        select
            (select max(step) + 1 from before),
            billing_period,
            shared_cost,
            billing_currency,
            'received',
            project,
            measure,
            amount
        from received
        union all
        select
            (select max(step) + 1 from before),
            received.billing_period,
            rule.shared_cost,
            received.billing_currency,
            'given',
            received.project,
            received.measure,
            received.amount
        from received
        inner join rule
            on list_contains(string_split(rule.passes_on, ', '), received.shared_cost)
            and list_contains(string_split(rule.projects, ', '), received.project)
            and (rule.from_month is null or rule.from_month <= received.billing_period)
            and (rule.to_month is null or received.billing_period < rule.to_month)
    )
),

summed as (
    select
        billing_period,
        shared_cost,
        direction,
        project,
        billing_currency,
        (sum(case when direction = 'given' then -amount else amount end)
            filter (measure = 'billed'))::decimal(38, 0) as billed,
        (sum(case when direction = 'given' then -amount else amount end)
            filter (measure = 'effective'))::decimal(38, 0) as effective,
        (sum(case when direction = 'given' then -amount else amount end)
            filter (measure = 'list'))::decimal(38, 0) as list,
        (sum(case when direction = 'given' then -amount else amount end)
            filter (measure = 'contracted'))::decimal(38, 0) as contracted
    from flow
    where step = (select max(step) from rule)
    group by all
),

final as (
    select
        summed.billing_period,
        summed.shared_cost,
        summed.direction,
        summed.project,
        project_label.environment,
        project_label.business_unit,
        summed.billing_currency,
        rule.method,
        shared.basis,
        shared.share,
        summed.billed * 0.000000000000000001::decimal(18, 18) as billed_cost,
        summed.effective * 0.000000000000000001::decimal(18, 18) as effective_cost,
        summed.list * 0.000000000000000001::decimal(18, 18) as list_cost,
        summed.contracted * 0.000000000000000001::decimal(18, 18) as contracted_cost,
        case
            when summed.direction = 'received' and shared.share is null
            then 'no receiver has a basis: the cost stays where it is'
            when shared.is_fallback then 'no receiver has a basis: split evenly'
        end as note
    from summed
    inner join rule on rule.shared_cost = summed.shared_cost
    left join shared
        on shared.billing_period = summed.billing_period
        and shared.shared_cost = summed.shared_cost
        and shared.billing_currency = summed.billing_currency
        and shared.project = summed.project
        and summed.direction = 'received'
    left join project_label on project_label.project = summed.project
)

select * from final
