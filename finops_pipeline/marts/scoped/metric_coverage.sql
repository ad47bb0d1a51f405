-- metric_coverage: which metrics of the resources of some projects are known.
-- grain: source, account_id, region_id, resource_type, resource_id, metric_name
-- money: none
-- reads: metric_coverage, inventory
-- parameters: projects

with

own_resource as (
    select distinct
        account_id,
        region_id,
        resource_type,
        resource_id
    from inventory
    where list_contains($projects::varchar[], project)
),

final as (
    select metric_coverage.*
    from metric_coverage
    inner join own_resource
        on own_resource.account_id = metric_coverage.account_id
        and own_resource.region_id = metric_coverage.region_id
        and own_resource.resource_type = metric_coverage.resource_type
        and own_resource.resource_id = metric_coverage.resource_id
)

select * from final
