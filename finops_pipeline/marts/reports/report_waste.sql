-- report_waste: what each project could save in 30 days.
-- grain: project, billing_currency
-- money: saving (billing currency)
-- reads: waste_findings

with

finding as (
    select * from waste_findings
),

final as (
    select
        project,
        billing_currency,
        count(*) as findings,
        sum(counted_saving) as saving
    from finding
    where counted_saving > 0
    group by project, billing_currency
    order by billing_currency, saving desc, project
)

select * from final
