-- waste: the open findings of waste of a project add up to more than a limit in 30 days.
-- grain: alert_key
-- money: value, threshold (billing currency)
-- reads: waste_findings
-- values: least = 100
-- what to do: finops waste list TENANT lists the findings; accept, dismiss or finish them. It recovers
--   when those that are left add up to less.

with

finding as (
    select * from waste_findings
    where status in ('open', 'accepted', 'in progress')
),

summed as (
    select
        project,
        billing_currency,
        count(*) filter (counted_saving > 0) as findings,
        sum(counted_saving) as saving
    from finding
    group by project, billing_currency
),

final as (
    select
        project || '/' || billing_currency as alert_key,
        'info' as severity,
        'project ' || project as subject,
        null::varchar as period,
        'Project ' || project || ' could save ' || round(saving, 2)::decimal(38, 2) || ' '
        || billing_currency || ' in 30 days, with ' || findings
        || case when findings = 1 then ' finding' else ' findings' end || ' of waste.' as summary,
        saving as value,
        $least::decimal(38, 18) as threshold,
        billing_currency as unit,
        'Go through the findings, the largest savings first.' as cure
    from summed
    where saving >= $least::decimal(38, 18)
)

select * from final
