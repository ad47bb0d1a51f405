-- required_tag_keys: the sets of required tags that apply to costs of some projects.
-- grain: required_set, tag_key, spelling
-- money: none
-- reads: required_tag_keys, required_tag_coverage, projects
-- parameters: projects
--
-- The projects and environments that a set covers are named only as far as they are these.

with

own as (
    select list(distinct environment) as environments
    from projects
    where list_contains($projects::varchar[], project)
),

applied as (
    select required_tag_keys.*, own.environments as own_environments
    from required_tag_keys
    cross join own
    where required_set in (
        select required_set
        from required_tag_coverage
        where list_contains($projects::varchar[], project)
    )
)

select
    required_set,
    tag_key,
    spelling,
    is_exact,
    allowed_values,
    services,
    cast(to_json(list_intersect(
        cast(cast(projects as json) as varchar[]), $projects::varchar[]
    )) as varchar) as projects,
    cast(to_json(list_intersect(
        cast(cast(environments as json) as varchar[]), own_environments
    )) as varchar) as environments
from applied
