-- statement_differences: what an adjustment of each closed month would state now.
-- grain: billing_period, project, billing_currency, line_kind, line, charge_group
-- money: stated_amount, present_amount, amount (billing currency, exact decimal); fixed_fee
-- reads: statement_preview, statements

with

present as (
    select * from statement_preview
    where billing_period in (select billing_period from statements)
),

stated as (
    select
        billing_period,
        project,
        billing_currency,
        line_kind,
        line,
        charge_group,
        arg_max(coalesce(display_name, ''), version) as display_name,
        arg_max(coalesce(environment, ''), version) as environment,
        arg_max(coalesce(business_unit, ''), version) as business_unit,
        arg_max(cost_basis, version) as cost_basis,
        max(markup_percent) as markup_percent,
        max(fixed_fee) as fixed_fee,
        max(fixed_fee_currency) as fixed_fee_currency,
        sum(amount) as amount
    from statements
    group by all
),

final as (
    select
        coalesce(present.billing_period, stated.billing_period) as billing_period,
        coalesce(present.project, stated.project) as project,
        coalesce(present.display_name, nullif(stated.display_name, '')) as display_name,
        coalesce(present.environment, nullif(stated.environment, '')) as environment,
        coalesce(present.business_unit, nullif(stated.business_unit, '')) as business_unit,
        coalesce(present.billing_currency, stated.billing_currency) as billing_currency,
        coalesce(present.line_kind, stated.line_kind) as line_kind,
        coalesce(present.line, stated.line) as line,
        coalesce(present.charge_group, stated.charge_group) as charge_group,
        coalesce(present.cost_basis, stated.cost_basis) as cost_basis,
        coalesce(present.markup_percent, stated.markup_percent) as markup_percent,
        coalesce(present.fixed_fee, stated.fixed_fee) as fixed_fee,
        coalesce(present.fixed_fee_currency, stated.fixed_fee_currency) as fixed_fee_currency,
        cast(coalesce(stated.amount, 0) as decimal(38, 18)) as stated_amount,
        coalesce(present.amount, cast(0 as decimal(38, 18))) as present_amount,
        cast(coalesce(present.amount, 0) - coalesce(stated.amount, 0) as decimal(38, 18)) as amount
    from present
    full join stated
        on stated.billing_period = present.billing_period
        and stated.project = present.project
        and stated.billing_currency = present.billing_currency
        and stated.line_kind = present.line_kind
        and stated.line = present.line
        and stated.charge_group is not distinct from present.charge_group
)

select * from final where amount <> 0
