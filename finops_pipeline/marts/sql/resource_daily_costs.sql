-- resource_daily_costs: what each resource and usage type cost on a day, on every cost basis.
-- grain: billing_period, charge_date, project, source, sub_account_id, region_id,
--        availability_zone, service_name, service_code, publisher_name, billing_entity,
--        charge_category, charge_class, charge_frequency, line_item_type, row_kind,
--        usage_type, operation, instance_type, pricing_category, commitment_discount_id,
--        commitment_discount_status, resource_id, resource_name, resource_type, tags,
--        cost_categories, consumed_unit, billing_currency
-- money: billed_cost, effective_cost, list_cost, contracted_cost; net_billed_cost and
--        net_effective_cost, null unless every charge of the group states them (billing currency)
-- reads: costs, projects, unused_commitment_days
-- lookback: 0 months
-- check: resource_daily_costs_equal_charges
-- slice: project, billing_period
-- days: apart
--
-- Other marts read this one instead of the charges: it has everything except hours and the lines of
-- the bill. A charge counts on the day on which its period starts, as in Cost Explorer; only the
-- effective cost of the unused part of a commitment is spread over the days that it covers.

with

project as (
    select * from projects
),

charge as (
    select
        *,
        cast(ChargePeriodStart as date) as charge_date,
        x_RowKind = 'unused' or coalesce(CommitmentDiscountStatus = 'Unused', false) as is_unused
    from costs
),

unused_day as (
    select * from unused_commitment_days
),

-- the charge of an unused part has no effective cost here; its days have only effective cost
amount as (
    select
        billing_period,
        charge_date,
        project,
        x_Source as source,
        SubAccountId as sub_account_id,
        RegionId as region_id,
        AvailabilityZone as availability_zone,
        ServiceName as service_name,
        x_ServiceCode as service_code,
        PublisherName as publisher_name,
        x_BillingEntity as billing_entity,
        ChargeCategory as charge_category,
        ChargeClass as charge_class,
        ChargeFrequency as charge_frequency,
        x_LineItemType as line_item_type,
        x_RowKind as row_kind,
        x_UsageType as usage_type,
        x_Operation as operation,
        x_InstanceType as instance_type,
        PricingCategory as pricing_category,
        CommitmentDiscountId as commitment_discount_id,
        CommitmentDiscountStatus as commitment_discount_status,
        ResourceId as resource_id,
        ResourceName as resource_name,
        ResourceType as resource_type,
        Tags as tags,
        x_CostCategories as cost_categories,
        ConsumedUnit as consumed_unit,
        BillingCurrency as billing_currency,
        true as is_charge,
        ConsumedQuantity as consumed_quantity,
        BilledCost as billed_cost,
        case when is_unused then 0 else EffectiveCost end as effective_cost,
        ListCost as list_cost,
        ContractedCost as contracted_cost,
        x_NetUnblendedCost as net_unblended_cost,
        -- covered usage bills nothing: the fee itself was billed
        case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0 else x_NetUnblendedCost end
            as net_billed_cost,
        case when is_unused and x_NetEffectiveCost is not null then 0 else x_NetEffectiveCost end
            as net_effective_cost,
        x_NetUnblendedCost is null and x_RowKind <> 'unused' as is_without_net_cost
    from charge
    union all
    select
        billing_period,
        charge_date,
        project,
        source,
        sub_account_id,
        region_id,
        availability_zone,
        service_name,
        service_code,
        publisher_name,
        billing_entity,
        charge_category,
        charge_class,
        charge_frequency,
        line_item_type,
        row_kind,
        usage_type,
        operation,
        instance_type,
        pricing_category,
        commitment_discount_id,
        commitment_discount_status,
        resource_id,
        resource_name,
        resource_type,
        tags,
        cost_categories,
        null,
        billing_currency,
        false,
        null,
        0,
        effective_cost,
        0,
        0,
        case when net_effective_cost is not null then 0 end,
        case when net_effective_cost is not null then 0 end,
        net_effective_cost,
        false
    from unused_day
),

summed as (
    select
        billing_period,
        charge_date,
        project,
        source,
        sub_account_id,
        region_id,
        availability_zone,
        service_name,
        service_code,
        publisher_name,
        billing_entity,
        charge_category,
        charge_class,
        charge_frequency,
        line_item_type,
        row_kind,
        usage_type,
        operation,
        instance_type,
        pricing_category,
        commitment_discount_id,
        commitment_discount_status,
        resource_id,
        resource_name,
        resource_type,
        tags,
        cost_categories,
        consumed_unit,
        billing_currency,
        count(*) filter (is_charge) as charges,
        sum(consumed_quantity) as consumed_quantity,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(contracted_cost) as contracted_cost,
        -- the unused part of a fee bills nothing: the fee itself was billed
        case
            when count(net_unblended_cost) > 0 and count(*) filter (is_without_net_cost) = 0
            then sum(net_billed_cost)
        end::decimal(38, 18) as net_billed_cost,
        case
            when count(net_effective_cost) = count(*) then sum(net_effective_cost)
        end as net_effective_cost,
        count(*) filter (is_without_net_cost) as charges_without_net_cost
    from amount
    group by all
),

final as (
    select
        summed.billing_period,
        summed.charge_date,
        summed.project,
        project.environment,
        project.business_unit,
        summed.source,
        summed.sub_account_id,
        summed.region_id,
        summed.availability_zone,
        summed.service_name,
        summed.service_code,
        summed.publisher_name,
        summed.billing_entity,
        summed.charge_category,
        summed.charge_class,
        summed.charge_frequency,
        summed.line_item_type,
        summed.row_kind,
        summed.usage_type,
        summed.operation,
        summed.instance_type,
        summed.pricing_category,
        summed.commitment_discount_id,
        summed.commitment_discount_status,
        summed.resource_id,
        summed.resource_name,
        summed.resource_type,
        summed.tags,
        summed.cost_categories,
        summed.consumed_unit,
        summed.billing_currency,
        -- the first group that applies; a FOCUS export has no line item types
        case
            when summed.charge_category = 'Tax' then 'tax'
            when summed.line_item_type in (
                'EdpDiscount', 'PrivateRateDiscount', 'BundledDiscount', 'RiVolumeDiscount',
                'SppDiscount', 'DistributorDiscount', 'CrossServiceDiscount', 'Discount'
            )
            or (summed.line_item_type is null and summed.charge_category = 'Adjustment')
            then 'discounts'
            when summed.charge_category = 'Credit'
            or summed.line_item_type = 'Refund'
            or summed.charge_class = 'Correction'
            or (
                summed.line_item_type is null
                and summed.charge_category = 'Usage'
                and summed.charge_frequency = 'One-Time'
            )
            then 'credits_and_refunds'
            when coalesce(
                summed.billing_entity = 'AWS Marketplace',
                summed.publisher_name not ilike 'Amazon%' and summed.publisher_name <> 'AWS'
            )
            then 'marketplace'
            when coalesce(summed.service_code, summed.service_name) like '%Support%' then 'support'
            when summed.line_item_type in ('RIFee', 'SavingsPlanRecurringFee')
            or summed.row_kind = 'residual'
            then 'commitments'
            when summed.charge_category = 'Purchase'
            and (
                summed.commitment_discount_id is null or summed.charge_frequency <> 'Recurring'
            )
            then 'upfront_and_fees'
            when summed.commitment_discount_id is not null then 'commitments'
            else 'usage'
        end as charge_group,
        summed.charges,
        summed.consumed_quantity,
        summed.billed_cost,
        summed.effective_cost,
        summed.list_cost,
        summed.contracted_cost,
        summed.net_billed_cost,
        summed.net_effective_cost,
        summed.charges_without_net_cost
    from summed
    left join project on project.project = summed.project
)

select * from final
