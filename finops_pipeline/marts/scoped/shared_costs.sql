-- shared_costs: shared costs that some projects give and receive, in addition to their own costs.
-- grain: as shared_costs
-- money: as shared_costs
-- reads: shared_costs
-- parameters: projects
--
-- Basis and share are left out: a project's amount divided by its share is the shared cost of all.

select *
replace (
    null::decimal(38, 18) as basis,
    null::decimal(38, 18) as share
)
from shared_costs
where list_contains($projects::varchar[], project)
