-- tag_costs: costs of some projects by value of each tag key that their charges have.
-- grain: as tag_costs
-- money: as tag_costs
-- reads: tag_costs
-- parameters: projects
--
-- The mart has rows of every project for every key that any project has in the month.

with

own_key as (
    select distinct billing_period, tag_kind, tag_key
    from tag_costs
    where list_contains($projects::varchar[], project)
        and tag_value is not null
)

select *
from tag_costs
where list_contains($projects::varchar[], project)
    and (billing_period, tag_kind, tag_key) in (from own_key)
