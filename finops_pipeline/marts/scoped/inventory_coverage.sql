-- inventory_coverage: which types are listed in the accounts in which some projects have resources.
-- grain: source, account_id, region_id, resource_type
-- money: none
-- reads: inventory_coverage, inventory
-- parameters: projects

with

own_account as (
    select distinct
        source,
        account_id
    from inventory
    where list_contains($projects::varchar[], project)
),

final as (
    select inventory_coverage.*
    from inventory_coverage
    inner join own_account
        on own_account.source = inventory_coverage.source
        and own_account.account_id = inventory_coverage.account_id
)

select * from final
