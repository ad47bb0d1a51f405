-- dimensions: the dimensions in which costs of some projects are counted.
-- grain: dimension
-- money: none
-- reads: dimensions, dimension_costs
-- parameters: projects

select *
from dimensions
where dimension in (
    select dimension from dimension_costs where list_contains($projects::varchar[], project)
)
