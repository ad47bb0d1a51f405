-- explained_charges: the charges of a line item, resource or commitment, with the rule that gave
--   each dimension its value.
-- grain: billing_period, source, project, sub_account_id, row_kind, charge_category,
--        line_item_type, region_id, service_name, service_code, resource_id, tags,
--        cost_categories, billing_currency, dimension, value, rule
-- money: billed_cost, effective_cost (billing currency)
-- parameters: id
-- reads: allocated_costs, allocation_rules, cost_explorer_daily
--
-- The id of an account is for charges that have no other, such as taxes in a FOCUS export or what
-- Savings Plan negations did not cancel, and for its days in Cost Explorer, which are no charges.

with

charge as (
    select *
    from allocated_costs
    where
        $id in (x_LineItemId, ResourceId, ResourceName, CommitmentDiscountId)
        or (
            coalesce(x_LineItemId, ResourceId, CommitmentDiscountId) is null
            and $id = coalesce(SubAccountId, BillingAccountId)
        )
),

cost_explorer_day as (
    select * from cost_explorer_daily where sub_account_id = $id
),

declared as (
    select * from allocation_rules
),

summed as (
    select
        billing_period,
        x_Source as source,
        project,
        SubAccountId as sub_account_id,
        x_RowKind as row_kind,
        ChargeCategory as charge_category,
        x_LineItemType as line_item_type,
        RegionId as region_id,
        ServiceName as service_name,
        x_ServiceCode as service_code,
        ResourceId as resource_id,
        Tags as tags,
        x_CostCategories as cost_categories,
        BillingCurrency as billing_currency,
        x_Dimensions as dimensions,
        x_AllocationRule as allocation_rules,
        x_AllocationRuleVersion as allocation_rule_versions,
        min(cast(ChargePeriodStart as date)) as first_day,
        max(cast(ChargePeriodStart as date)) as last_day,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    group by all
),

split as (
    select
        *,
        unnest(
            case when json_keys(dimensions) = [] then [null] else json_keys(dimensions) end
        ) as dimension
    from summed
),

explained as (
    select
        split.billing_period,
        split.source,
        split.project,
        split.sub_account_id,
        split.first_day,
        split.last_day,
        split.row_kind,
        split.charge_category,
        split.line_item_type,
        split.region_id,
        split.service_name,
        split.service_code,
        split.resource_id,
        split.tags,
        split.cost_categories,
        split.billing_currency,
        split.charges,
        split.billed_cost,
        split.effective_cost,
        split.dimension,
        json_extract_string(split.dimensions, '$."' || split.dimension || '"') as value,
        json_extract_string(split.allocation_rules, '$."' || split.dimension || '"') as rule,
        json_extract_string(split.allocation_rule_versions, '$."' || split.dimension || '"')::bigint
            as rule_version,
        declared.declared_on,
        declared.conditions
    from split
    left join declared
        on declared.rule
        = json_extract_string(split.allocation_rules, '$."' || split.dimension || '"')
),

day as (
    select
        billing_period,
        source,
        project,
        sub_account_id,
        'cost explorer day' as row_kind,
        'Cost Explorer' as service_name,
        billing_currency,
        min(charge_date) as first_day,
        max(charge_date) as last_day,
        count(*) as charges,
        coalesce(sum(billed_cost), 0) as billed_cost,
        coalesce(sum(effective_cost), 0) as effective_cost
    from cost_explorer_day
    group by billing_period, source, project, sub_account_id, billing_currency
),

final as (
    select * from explained
    union all by name
    select * from day
    order by all
)

select * from final
