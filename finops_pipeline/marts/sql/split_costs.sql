-- split_costs: the shares of tasks and pods in the cost of their instances, by cluster and workload.
-- grain: billing_period, charge_date, project, source, sub_account_id, region_id, platform, cluster,
--        namespace, workload, workload_type, parent_resource_id, billing_currency
-- money: split_cost, unused_cost, total_cost; net_split_cost and net_unused_cost, null unless every
--        row of the group states them (amortized; billing currency)
-- reads: costs, projects
-- rows only from: costs where x_ParentResourceId is not null
-- lookback: 0 months
-- check: split_costs_equal_charges
-- slice: project, billing_period
--
-- The instance is already in the bill: never add these costs to those of another mart. The total of
-- all rows of an instance is what the instance cost (check split_costs_equal_parents). Clusters and
-- workloads come from AWS's tags aws:eks:… and aws:ecs:…, in any spelling of any form of report
-- (decision 48). Without these tags, cluster and namespace come from the ARN of the pod or task.

with

project as (
    select * from projects
),

split as (
    select
        *,
        case
            when x_Operation like 'EKSPod%' or x_ServiceCode = 'AmazonEKS' then 'EKS'
            when x_Operation like 'ECSTask%' or x_ServiceCode = 'AmazonECS' then 'ECS'
            else coalesce(x_ServiceCode, ServiceName)
        end as platform,
        json_extract_string(
            Tags,
            [
                '$."aws:eks:cluster-name"', '$."aws:eks_cluster_name"',
                '$."aws:ecs:clusterName"', '$."aws:ecs_cluster_name"',
                '$."aws:eks:namespace"', '$."aws:eks_namespace"',
                '$."aws:eks:workload-name"', '$."aws:eks_workload_name"',
                '$."aws:eks:deployment"', '$."aws:eks_deployment"',
                '$."aws:ecs:serviceName"', '$."aws:ecs_service_name"',
                '$."aws:eks:workload-type"', '$."aws:eks_workload_type"'
            ]
        ) as label
    from costs
    where x_ParentResourceId is not null
),

labelled as (
    select
        *,
        coalesce(
            label[1], label[2], label[3], label[4],
            nullif(regexp_extract(ResourceId, ':(?:pod|task)/([^/]+)/', 1), '')
        ) as cluster,
        coalesce(
            label[5], label[6], nullif(regexp_extract(ResourceId, ':pod/[^/]+/([^/]+)/', 1), '')
        ) as namespace,
        coalesce(label[7], label[8], label[9], label[10], label[11], label[12]) as workload,
        coalesce(label[13], label[14]) as workload_type
    from split
),

summed as (
    select
        billing_period,
        ChargePeriodStart::date as charge_date,
        project,
        x_Source as source,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        platform,
        cluster,
        namespace,
        workload,
        workload_type,
        x_ParentResourceId as parent_resource_id,
        BillingCurrency as billing_currency,
        count(*) as charges,
        coalesce(sum(x_SplitCost), 0) as split_cost,
        coalesce(sum(x_SplitUnusedCost), 0) as unused_cost,
        case when count(x_NetSplitCost) = count(*) then sum(x_NetSplitCost) end as net_split_cost,
        case when count(x_NetSplitUnusedCost) = count(*) then sum(x_NetSplitUnusedCost) end
            as net_unused_cost
    from labelled
    group by all
),

final as (
    select
        summed.billing_period,
        summed.charge_date,
        summed.project,
        project.environment,
        project.business_unit,
        summed.* exclude (billing_period, charge_date, project),
        split_cost + unused_cost as total_cost
    from summed
    left join project on project.project = summed.project
)

select * from final
