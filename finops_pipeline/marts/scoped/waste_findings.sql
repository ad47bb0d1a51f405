-- waste_findings: the findings about resources that some projects pay alone.
-- grain: finding_id
-- money: cost, monthly_saving, counted_saving (billing currency)
-- reads: waste_findings
-- parameters: projects
--
-- The amounts of a resource that several projects share are about all of them, so its findings are
-- left out. Evidence may be about other resources, which other projects may own: only that of
-- rules that compare values of the resource itself is shown.

with

final as (
    select
        * replace (
            case
                when tier in ('A', 'B') or rule in ('C01', 'C02', 'C05', 'C06') then evidence
                else '{}'
            end as evidence
        )
    from waste_findings
    where list_contains($projects::varchar[], project)
        and not is_in_several_projects
)

select * from final
