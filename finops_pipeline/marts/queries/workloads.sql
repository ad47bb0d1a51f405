-- workloads: shares of containers in the cost of their instances, by cluster and workload.
-- use case: What does each cluster, namespace and workload cost?
-- grain: billing_period, platform, cluster, namespace, workload, project, billing_currency
-- money: split_cost, unused_cost, total_cost (amortized; billing currency, exact decimal)
-- reads: split_costs
--
-- The instances are already in the bill, so never add these costs to others. Without split cost
-- allocation data in the report, there are no rows.

with

split as (
    select *
    from split_costs
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        platform,
        cluster,
        namespace,
        workload,
        project,
        billing_currency,
        sum(split_cost) as split_cost,
        sum(unused_cost) as unused_cost,
        sum(total_cost) as total_cost
    from split
    group by all
    order by billing_period, total_cost desc, platform, cluster, namespace, workload, project
)

select * from final
