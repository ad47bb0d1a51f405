-- compute_hours: hours that instances of some projects ran, and their elasticity.
-- grain: as compute_hours
-- money: as compute_hours
-- reads: compute_hours
-- parameters: projects
--
-- An instance may have run in several projects. Its elasticity and note count the hours in all of
-- them, so they are computed again from the hours in these projects.

with

hours as (
    select
        *,
        sum(hours_in_period) over (
            partition by billing_period, source, resource_id, billing_currency
        ) as resource_hours
    from compute_hours
    where list_contains($projects::varchar[], project)
)

select
    * exclude (elasticity_percent, note, resource_hours),
    case
        when resource_id is not null
        then try_cast(100 * (resource_hours / nullif(period_hours, 0)) as decimal(18, 2))
    end as elasticity_percent,
    case
        when resource_id is null then 'The bill does not name the instances.'
        when resource_hours > period_hours then 'Several instances run under this id.'
    end as note
from hours
