-- project_statements: what each project would be charged, by kind of line.
-- use case: What do we charge each project?
-- grain: billing_period, project, billing_currency
-- money: direct, shared, markup, fixed_fee, total, on the basis of the terms (billing currency,
--        exact decimal)
-- reads: statement_preview

with

line as (
    select * from statement_preview
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        project,
        billing_currency,
        sum(case when line_kind = 'direct' then amount else 0 end) as direct,
        sum(case when line_kind in ('shared_received', 'shared_given') then amount else 0 end)
            as shared,
        sum(case when line_kind = 'markup' then amount else 0 end) as markup,
        sum(case when line_kind = 'fixed_fee' then amount else 0 end) as fixed_fee,
        sum(amount) as total
    from line
    group by billing_period, project, billing_currency
    order by billing_period, total desc, project
)

select * from final
