-- statements: closed statements of some projects, and their dated adjustments.
-- grain: as statements
-- money: as statements
-- reads: statements
-- parameters: projects
--
-- A month is closed for all projects together, for a reason that may be about any of them.

select * replace (null::varchar as reason)
from statements
where list_contains($projects::varchar[], project)
