-- recent_usage: rows of some projects, without resources for which other projects pay a part.
-- grain: as recent_usage
-- money: as recent_usage
-- reads: recent_usage
-- parameters: projects
--
-- The quantities of a resource in several projects are those of all of them, and what a rule
-- concludes depends on them.

select *
from recent_usage
where list_contains($projects::varchar[], project)
    and not is_in_several_projects
