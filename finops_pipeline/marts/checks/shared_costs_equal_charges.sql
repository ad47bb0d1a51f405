-- shared_costs_equal_charges: shared costs and months in which given and received costs do not add
--   up to zero, or a project gives other costs than it has or passes on.
-- reads: shared_costs, costs_to_share, shared_cost_rules
-- on failure: refuse

with

owed as (
    select
        billing_period,
        shared_cost,
        project,
        billing_currency,
        billed_cost,
        effective_cost,
        list_cost,
        contracted_cost
    from costs_to_share
    where shared_cost is not null
    union all
    select
        received.billing_period,
        rule.shared_cost,
        received.project,
        received.billing_currency,
        received.billed_cost,
        received.effective_cost,
        received.list_cost,
        received.contracted_cost
    from shared_costs as received
    inner join shared_cost_rules as rule
        on list_contains(string_split(rule.passes_on, ', '), received.shared_cost)
        and list_contains(string_split(rule.projects, ', '), received.project)
        and (rule.from_month is null or rule.from_month <= received.billing_period)
        and (rule.to_month is null or received.billing_period < rule.to_month)
    where received.direction = 'received'
    union all
    select
        billing_period,
        shared_cost,
        project,
        billing_currency,
        billed_cost,
        effective_cost,
        list_cost,
        contracted_cost
    from shared_costs
    where direction = 'given'
),

entry as (
    select 'given' as subject, * from owed
    union all
    select
        'given and received' as subject,
        billing_period,
        shared_cost,
        null as project,
        billing_currency,
        billed_cost,
        effective_cost,
        list_cost,
        contracted_cost
    from shared_costs
),

final as (
    select
        billing_period,
        shared_cost,
        subject,
        project,
        billing_currency,
        sum(billed_cost) as billed_difference,
        sum(effective_cost) as effective_difference,
        sum(list_cost) as list_difference,
        sum(contracted_cost) as contracted_difference
    from entry
    group by all
    having billed_difference <> 0
        or effective_difference <> 0
        or list_difference <> 0
        or contracted_difference <> 0
)

select * from final
