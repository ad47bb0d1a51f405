-- listed_resources: each resource that inventories have listed, once, with its newest description.
-- grain: project, account_id, region_id, resource_type, resource_id
-- money: none
-- reads: resources, inventory_coverage
--
-- A resource that the newest list of its type does not have is gone. After a denied call it is
-- neither gone nor known: inventory_gaps has its type.

with

final as (
    select
        listed.project,
        listed.account_id,
        listed.region_id,
        listed.resource_type,
        listed.resource_id,
        max(listed.billed_resource_id) as billed_resource_id,
        bool_or(
            coalesce(coverage.state = 'collected' and listed.last_seen >= coverage.as_of, false)
        ) as is_there,
        arg_max(listed.state, listed.last_seen) as state,
        min(listed.created_at) as created_at,
        arg_max(listed.attributes, listed.last_seen) as attributes,
        max(coverage.permission) as permission
    from resources as listed
    left join inventory_coverage as coverage
        on coverage.source = listed.source
        and coverage.account_id = listed.account_id
        and coverage.region_id = coalesce(listed.region_id, 'global')
        and coverage.resource_type = listed.resource_type
    where listed.in_inventory
    group by all
)

select * from final
