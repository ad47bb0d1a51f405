-- shared_cost_shares: which projects receive a shared cost in a month, and which share of it.
-- grain: billing_period, shared_cost, billing_currency, project
-- money: none (basis is money for the method proportional)
-- reads: costs_to_share, business_metrics, shared_cost_rules
-- needs: shared_cost_rules
-- lookback: 0 months
-- check: shared_cost_shares_add_up
-- slice: billing_period
--
-- Shares are whole numbers of 10^-18 and add up to exactly 1: what is left over goes, one unit
-- each, to the largest remainders, and among equal ones by the name of the project. A shared cost
-- without any basis has no rows, unless it is then split evenly.

with

cost as (
    select * from costs_to_share
),

rule as (
    select * from shared_cost_rules
),

metric as (
    select * from business_metrics
),

valid as (
    select month.billing_period, rule.*
    from (select distinct billing_period from cost) as month
    inner join rule
        on (rule.from_month is null or rule.from_month <= month.billing_period)
        and (rule.to_month is null or month.billing_period < rule.to_month)
),

-- a project's own effective cost is what it has without kinds of charges that are shared
present as (
    select
        cost.billing_period,
        cost.project,
        cost.billing_currency,
        coalesce(sum(cost.effective_cost) filter (rule.kinds is null), 0) as own_cost
    from cost
    left join rule on rule.shared_cost = cost.shared_cost
    group by all
),

-- what is shared itself receives only what it passes on
closed as (
    select
        billing_period,
        unnest(string_split(projects, ', ')) as project,
        coalesce(string_split(passes_on, ', '), []) as passes_on
    from valid
    where kinds is null
),

unit as (
    select billing_period, metric, project, sum(value) as units
    from metric
    where project is not null
    group by all
),

receiver as (
    select
        valid.billing_period,
        valid.shared_cost,
        currency.billing_currency,
        listed.project,
        listed.percentage
    from valid
    inner join (select distinct billing_period, billing_currency from cost) as currency
        on currency.billing_period = valid.billing_period
    inner join (
        select
            shared_cost,
            unnest(string_split(receivers, ', ')) as project,
            unnest(string_split(shares, ', '))::decimal(38, 18) as percentage
        from rule
    ) as listed
        on listed.shared_cost = valid.shared_cost
    union all
    select
        valid.billing_period,
        valid.shared_cost,
        present.billing_currency,
        present.project,
        null as percentage
    from valid
    inner join present
        on present.billing_period = valid.billing_period
        and present.project <> 'unassigned'
    where valid.receivers is null
        and not exists (
            select 1
            from closed
            where closed.billing_period = valid.billing_period
                and closed.project = present.project
                and not list_contains(closed.passes_on, valid.shared_cost)
        )
),

based as (
    select
        receiver.billing_period,
        receiver.shared_cost,
        receiver.billing_currency,
        receiver.project,
        valid.otherwise,
        case valid.method
            when 'even' then 1
            when 'fixed' then receiver.percentage
            when 'proportional' then greatest(coalesce(present.own_cost, 0), 0)
            else coalesce(unit.units, 0)
        end::decimal(38, 18) as own_basis
    from receiver
    inner join valid
        on valid.billing_period = receiver.billing_period
        and valid.shared_cost = receiver.shared_cost
    left join present
        on present.billing_period = receiver.billing_period
        and present.billing_currency = receiver.billing_currency
        and present.project = receiver.project
    left join unit
        on unit.billing_period = receiver.billing_period
        and unit.metric = valid.metric
        and unit.project = receiver.project
),

summed as (
    select *, sum(own_basis) over same = 0 as has_none
    from based
    window same as (partition by billing_period, shared_cost, billing_currency)
),

basis as (
    select
        billing_period,
        shared_cost,
        billing_currency,
        project,
        has_none,
        case when has_none and otherwise = 'even' then 1 else own_basis end::decimal(38, 18)
            as basis
    from summed
),

weighted as (
    select
        *,
        replace(basis::varchar, '.', '')::hugeint as part,
        sum(replace(basis::varchar, '.', '')::hugeint) over same as whole
    from basis
    window same as (partition by billing_period, shared_cost, billing_currency)
),

-- long division to 18 decimals, three at a time: larger numbers would not fit
divided as (
    select
        *,
        part * 1000 % whole as rest_1,
        rest_1 * 1000 % whole as rest_2,
        rest_2 * 1000 % whole as rest_3,
        rest_3 * 1000 % whole as rest_4,
        rest_4 * 1000 % whole as rest_5,
        rest_5 * 1000 % whole as rest_6,
        (part * 1000 // whole) * 1000000000000000
            + (rest_1 * 1000 // whole) * 1000000000000
            + (rest_2 * 1000 // whole) * 1000000000
            + (rest_3 * 1000 // whole) * 1000000
            + (rest_4 * 1000 // whole) * 1000
            + (rest_5 * 1000 // whole) as cut_share
    from weighted
    where part > 0
),

final as (
    select
        billing_period,
        shared_cost,
        billing_currency,
        project,
        basis,
        (
            cut_share + (
                row_number() over (same order by rest_6 desc, project)
                <= 1000000000000000000 - sum(cut_share) over (same)
            )::int
        )::decimal(38, 0) * 0.000000000000000001::decimal(18, 18) as share,
        has_none as is_fallback
    from divided
    window same as (partition by billing_period, shared_cost, billing_currency)
)

select * from final
