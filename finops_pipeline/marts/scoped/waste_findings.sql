-- waste_findings: rows of some projects, without resources for which other projects pay a part.
-- grain: as waste_findings
-- money: as waste_findings
-- reads: waste_findings
-- parameters: projects
--
-- The quantities of a resource in several projects are those of all of them, and what a rule
-- concludes depends on them.

select *
from waste_findings
where list_contains($projects::varchar[], project)
    and not is_in_several_projects
