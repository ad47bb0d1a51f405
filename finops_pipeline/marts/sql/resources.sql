-- resources: what exists, as inventories list it, and what it cost in the last 30 complete days.
-- grain: billing_period, project, account_id, region_id, resource_type, resource_id, source,
--        billing_currency
-- money: billed_cost, effective_cost, list_cost (billing currency)
-- reads: resource_daily_costs, inventory
-- needs: inventory
-- lookback: 31 days
-- check: resources_equal_charges
-- slice: newest
--
-- Bills name a resource by its ARN, its id, or the name that its service gives it. Of several ways
-- to read a billed id the most exact counts; one that still means two resources is left as it is,
-- as a billed resource that no inventory has. The last complete day is the newest one with charges
-- if it ends its month, otherwise the day before it. Without any inventory there are no rows:
-- nothing is known about what exists.

with

resource as (
    select
        *,
        split_part(resource_arn, ':', 3) as arn_service,
        nullif(region_id, 'global') as own_region
    from inventory
),

cost as (
    select * from resource_daily_costs
),

newest as (
    select
        max(charge_date) as newest_day,
        case
            when newest_day = last_day(newest_day) then newest_day else newest_day - 1
        end as last_complete_day
    from cost
),

bill as (
    select
        cost.project,
        cost.sub_account_id,
        cost.region_id,
        cost.resource_id as billed_id,
        cost.service_code,
        cost.billing_currency,
        max(cost.resource_type) as resource_type,
        max(cost.resource_name) as resource_name,
        sum(cost.billed_cost) as billed_cost,
        sum(cost.effective_cost) as effective_cost,
        sum(cost.list_cost) as list_cost
    from cost, newest
    where cost.charge_date > newest.last_complete_day - 30
        and cost.charge_date <= newest.last_complete_day
        and cost.resource_id is not null
        and exists (select 1 from resource)
    group by all
),

billed as (
    select distinct
        project,
        sub_account_id,
        region_id,
        billed_id,
        service_code,
        billed_id like 'arn:%' as is_arn,
        split_part(billed_id, ':', 3) as arn_service,
        regexp_extract(billed_id, '[^:/]+$') as last_part
    from bill
),

-- every way to read a billed id as that of a resource of its project and account
reading as (
    select
        billed.project,
        billed.sub_account_id,
        billed.region_id,
        billed.billed_id,
        billed.service_code,
        resource.region_id as own_region_id,
        resource.resource_type,
        resource.resource_id,
        min(resource.source) as source,
        min(
            case
                when resource.resource_arn = billed.billed_id then 1
                when resource.resource_id = billed.billed_id
                    and resource.service_code = billed.service_code then 2
                when resource.resource_id = billed.billed_id
                    and regexp_full_match(billed.billed_id, '[a-z]+-[0-9a-f]{8,17}') then 3
                when billed.is_arn and resource.resource_id = billed.last_part
                    and resource.arn_service = billed.arn_service then 4
                when not billed.is_arn and resource.resource_name = billed.billed_id
                    and resource.service_code = billed.service_code then 5
                when billed.is_arn and resource.resource_name = billed.last_part
                    and resource.arn_service = billed.arn_service then 6
            end
        ) as exactness
    from billed
    inner join resource
        on resource.project = billed.project
        and resource.account_id = billed.sub_account_id
        and coalesce(resource.own_region = billed.region_id, true)
        and (
            resource.resource_arn = billed.billed_id
            or resource.resource_id in (billed.billed_id, billed.last_part)
            or resource.resource_name in (billed.billed_id, billed.last_part)
        )
    group by all
    having exactness is not null
),

best as (
    select *
    from (
        select
            *,
            rank() over (
                partition by project, sub_account_id, region_id, billed_id, service_code
                order by exactness
            ) as place
        from reading
    )
    where place = 1
    qualify count(*) over (
        partition by project, sub_account_id, region_id, billed_id, service_code
    ) = 1
),

matched as (
    select
        bill.*,
        best.source,
        best.own_region_id,
        best.resource_type as own_type,
        best.resource_id
    from bill
    left join best
        on best.project = bill.project
        and best.sub_account_id = bill.sub_account_id
        and best.region_id is not distinct from bill.region_id
        and best.billed_id = bill.billed_id
        and best.service_code is not distinct from bill.service_code
),

own_cost as (
    select
        project,
        source,
        sub_account_id as account_id,
        own_region_id as region_id,
        own_type as resource_type,
        resource_id,
        billing_currency,
        min(billed_id) as billed_resource_id,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from matched
    where resource_id is not null
    group by all
),

only_billed as (
    select
        project,
        sub_account_id,
        region_id,
        billed_id,
        billing_currency,
        max(resource_type) as resource_type,
        max(resource_name) as resource_name,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from matched
    where resource_id is null
    group by all
),

described as (
    select
        resource.project,
        resource.source,
        resource.account_id,
        resource.own_region as region_id,
        resource.resource_type,
        resource.resource_id,
        resource.resource_arn,
        resource.resource_name,
        resource.state,
        resource.created_at,
        resource.first_seen,
        resource.last_seen,
        resource.changed_on,
        resource.tags,
        resource.attributes,
        own_cost.billed_resource_id,
        own_cost.billed_cost,
        own_cost.effective_cost,
        own_cost.list_cost,
        own_cost.billing_currency,
        own_cost.billing_currency is not null as has_bill,
        true as in_inventory
    from resource
    left join own_cost
        on own_cost.project = resource.project
        and own_cost.source = resource.source
        and own_cost.account_id = resource.account_id
        and own_cost.region_id = resource.region_id
        and own_cost.resource_type = resource.resource_type
        and own_cost.resource_id = resource.resource_id
    union all
    select
        project,
        null,
        sub_account_id,
        region_id,
        resource_type,
        billed_id,
        case when billed_id like 'arn:%' then billed_id end,
        resource_name,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        billed_id,
        billed_cost,
        effective_cost,
        list_cost,
        billing_currency,
        true,
        false
    from only_billed
),

final as (
    select
        strftime(newest.newest_day, '%Y-%m') as billing_period,
        described.*
    from described, newest
)

select * from final
