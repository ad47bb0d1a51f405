-- costs_to_share: costs of each project and month by kind, and the shared cost that has them.
-- grain: billing_period, project, billing_currency, kind
-- money: billed_cost, effective_cost, list_cost, contracted_cost (billing currency)
-- reads: resource_daily_costs, shared_cost_rules
-- needs: shared_cost_rules
-- lookback: 0 months
-- check: costs_to_share_equal_charges
-- slice: billing_period
--
-- A charge belongs to the first shared cost that matches it, and to one at most. Months in which no
-- shared cost is split have no rows.

with

cost as (
    select * from resource_daily_costs
),

rule as (
    select * from shared_cost_rules
),

spent as (
    select
        billing_period,
        project,
        billing_currency,
        case
            when row_kind = 'unused' or commitment_discount_status = 'Unused'
            then 'unused_commitments'
            else charge_group
        end as kind,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost
    from cost
    where exists (
        select 1
        from rule
        where (rule.from_month is null or rule.from_month <= cost.billing_period)
            and (rule.to_month is null or cost.billing_period < rule.to_month)
    )
    group by all
),

valid as (
    select month.billing_period, rule.*
    from (select distinct billing_period from spent) as month
    inner join rule
        on (rule.from_month is null or rule.from_month <= month.billing_period)
        and (rule.to_month is null or month.billing_period < rule.to_month)
),

taken as (
    select
        spent.billing_period,
        spent.project,
        spent.billing_currency,
        spent.kind,
        arg_min(valid.shared_cost, valid.position) as shared_cost
    from spent
    inner join valid
        on valid.billing_period = spent.billing_period
        and (valid.kinds is null or list_contains(string_split(valid.kinds, ', '), spent.kind))
        and (
            valid.projects is null
            or list_contains(string_split(valid.projects, ', '), spent.project)
        )
    group by all
),

final as (
    select
        billing_period,
        project,
        billing_currency,
        kind,
        taken.shared_cost,
        spent.billed_cost,
        spent.effective_cost,
        spent.list_cost,
        spent.contracted_cost
    from spent
    left join taken using (billing_period, project, billing_currency, kind)
)

select * from final
