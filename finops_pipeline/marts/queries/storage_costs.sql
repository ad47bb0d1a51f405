-- storage_costs: costs of storage, by service and storage class.
-- use case: What does each class of storage cost?
-- grain: billing_period, service_name, storage_class, project, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: least = 0
-- values: least = amount
-- reads: storage_costs
--
-- Rows whose effective cost is below `least` are left out. The mart storage_costs also has buckets
-- and volumes.

with

stored as (
    select *
    from storage_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

summed as (
    select
        billing_period,
        service_name,
        storage_class,
        project,
        billing_currency,
        case when count(gigabyte_months) = count(*) then sum(gigabyte_months) end
            as gigabyte_months,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from stored
    group by all
),

final as (
    select *
    from summed
    where effective_cost >= $least::decimal(38, 18)
    order by
        billing_period, billing_currency, effective_cost desc, service_name, storage_class, project
)

select * from final
