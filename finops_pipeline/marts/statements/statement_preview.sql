-- statement_preview: what would be stated to each project for each month.
-- grain: billing_period, project, billing_currency, line_kind, line, charge_group
-- money: amount, on the basis of the terms (billing currency, exact decimal); fixed_fee
-- reads: charge_groups, resource_daily_costs, shared_costs, statement_terms, statements
--
-- All lines that are not a mark-up or a fee add up to the bill: shared costs given and received
-- cancel out. A month that is closed keeps the terms with which it was closed.

with

charge_group as (
    select * from charge_groups
),

resource_day as (
    select * from resource_daily_costs
),

shared_cost as (
    select * from shared_costs
),

declared as (
    select * from statement_terms
),

stated as (
    select * from statements
),

-- an adjustment may state lines that are gone on a net basis that the month no longer has
closed_bill as (
    select
        billing_period,
        billing_currency,
        arg_max(cost_basis, version * 2 + cast(cost_basis not like 'net_%' as integer))
            as cost_basis
    from stated
    group by billing_period, billing_currency
),

-- every version of a project's statement has the same mark-up and fee
closed_project as (
    select
        billing_period,
        project,
        max(markup_percent) as markup_percent,
        max(fixed_fee) as fixed_fee,
        max(fixed_fee_currency) as fixed_fee_currency
    from stated
    group by billing_period, project
),

direct as (
    select
        billing_period,
        project,
        service_name,
        charge_group,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(coalesce(net_billed_cost, 0)) as net_billed_cost,
        sum(coalesce(net_effective_cost, 0)) as net_effective_cost
    from charge_group
    group by all
),

-- a cost of 0 needs no net cost, but several charges may add up to 0, each with a cost
bill as (
    select
        billing_period,
        billing_currency,
        bool_and(
            net_billed_cost is not null
            or (billed_cost = 0 and (charges <= 1 or charges_without_net_cost = 0))
        ) as has_net_billed,
        bool_and(
            net_effective_cost is not null or (effective_cost = 0 and charges <= 1)
        ) as has_net_effective
    from resource_day
    group by billing_period, billing_currency
),

tenants_basis as (
    select min(cost_basis) as declared_basis from declared
),

wanted as (
    select
        bill.*,
        coalesce(closed_bill.cost_basis, tenants_basis.declared_basis, 'billed') as cost_basis
    from bill
    left join closed_bill using (billing_period, billing_currency)
    cross join tenants_basis
),

basis as (
    select
        billing_period,
        billing_currency,
        case
            when cost_basis = 'net_billed' and not has_net_billed then 'billed'
            when cost_basis = 'net_effective' and not has_net_effective then 'effective'
            else cost_basis
        end as cost_basis
    from wanted
),

shared as (
    select
        billing_period,
        project,
        billing_currency,
        direction,
        shared_cost,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from shared_cost
    group by all
),

costs_of_project as (
    select
        direct.billing_period,
        direct.project,
        direct.billing_currency,
        'direct' as line_kind,
        direct.service_name as line,
        direct.charge_group,
        basis.cost_basis,
        case basis.cost_basis
            when 'effective' then direct.effective_cost
            when 'net_billed' then direct.net_billed_cost
            when 'net_effective' then direct.net_effective_cost
            else direct.billed_cost
        end as amount
    from direct
    inner join basis using (billing_period, billing_currency)
    union all
    select
        shared.billing_period,
        shared.project,
        shared.billing_currency,
        'shared_' || shared.direction as line_kind,
        shared.shared_cost as line,
        null as charge_group,
        basis.cost_basis,
        case
            when basis.cost_basis in ('effective', 'net_effective') then shared.effective_cost
            else shared.billed_cost
        end as amount
    from shared
    inner join basis using (billing_period, billing_currency)
),

total as (
    select
        costs_of_project.billing_period,
        costs_of_project.project,
        costs_of_project.billing_currency,
        any_value(costs_of_project.cost_basis) as cost_basis,
        sum(costs_of_project.amount) as amount
    from costs_of_project
    group by all
),

terms as (
    select
        total.billing_period,
        total.project,
        case
            when closed_project.project is not null then closed_project.markup_percent
            else coalesce(declared.markup_percent, cast(0 as decimal(9, 4)))
        end as markup_percent,
        case
            when closed_project.project is not null then closed_project.fixed_fee
            else declared.fixed_fee
        end as fixed_fee,
        case
            when closed_project.project is not null then closed_project.fixed_fee_currency
            else declared.fixed_fee_currency
        end as fixed_fee_currency
    from (select distinct billing_period, project from total) as total
    left join closed_project using (billing_period, project)
    left join declared on declared.project = total.project
),

-- a fee is stated once a month, whichever currencies the costs of the project have
lines as (
    select * from costs_of_project
    union all
    select
        total.billing_period,
        total.project,
        total.billing_currency,
        'markup' as line_kind,
        'mark-up' as line,
        null as charge_group,
        total.cost_basis,
        cast(total.amount * cast(terms.markup_percent * 0.01 as decimal(11, 6)) as decimal(38, 18))
            as amount
    from total
    inner join terms using (billing_period, project)
    where terms.markup_percent <> 0
    union all
    select
        terms.billing_period,
        terms.project,
        terms.fixed_fee_currency as billing_currency,
        'fixed_fee' as line_kind,
        'fixed fee' as line,
        null as charge_group,
        basis.cost_basis,
        terms.fixed_fee as amount
    from terms
    inner join basis
        on basis.billing_period = terms.billing_period
        and basis.billing_currency = terms.fixed_fee_currency
    where terms.fixed_fee is not null
),

final as (
    select
        lines.billing_period,
        lines.project,
        declared.display_name,
        declared.environment,
        declared.business_unit,
        lines.billing_currency,
        lines.line_kind,
        lines.line,
        lines.charge_group,
        lines.cost_basis,
        terms.markup_percent,
        terms.fixed_fee,
        terms.fixed_fee_currency,
        cast(lines.amount as decimal(38, 18)) as amount
    from lines
    inner join terms using (billing_period, project)
    left join declared on declared.project = lines.project
)

select * from final
