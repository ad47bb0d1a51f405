-- cur_charges: line items of a Cost and Usage Report (legacy or 2.0) as FOCUS 1.2 charges.
-- grain: one charge: a line item, the unused part of a commitment fee, or a residual
-- money: BilledCost (unblended), EffectiveCost (amortized), ListCost, ContractedCost (gross basis)
-- reads: cur_priced, services, regions
-- check: charges_equal_bill
--
-- Last of three steps: cur_classified, cur_priced, named. Gives every column its FOCUS id and
-- value; amounts come from cur_priced unchanged, and unit prices from them.

with

by_name as (
    select distinct service_name, service_category, service_subcategory from services
),

named as (
    select
        priced.*,
        coalesce(
            product_product_name, by_code.service_name, line_item_product_code, 'AWS'
        ) as service,
        nullif(
            coalesce(
                product_region_code,
                product_region,
                nullif(
                    regexp_extract(line_item_availability_zone, '^[a-z]{2}(-[a-z]+)+-[0-9]+'), ''
                ),
                -- data transfer states where it comes from (AWS "Product columns": fromRegionCode);
                -- its rows often have no regionCode
                product_from_region_code
            ),
            'global'
        ) as region,
        case
            when is_unused or category = 'Purchase'
            then coalesce(commitment_id, line_item_resource_id)
            else line_item_resource_id
        end as resource,
        case
            when is_commitment_fee and category = 'Purchase' then 'Standard'
            when is_unused or is_covered then 'Committed'
            when is_spot then 'Dynamic'
            else 'Standard'
        end as pricing_model,
        case
            when commitment_id is null then null
            when is_savings_plan then 'Savings Plan'
            else 'Reserved Instance'
        end as commitment_type,
        case
            when is_savings_plan and is_unused then line_item_currency_code
            else coalesce(focus_unit(pricing_unit), 'Units')
        end as unit,
        coalesce(line_item_usage_type, line_type) as meter,
        -- AWS "Monitoring your On-Demand capacity reservations": these usage types are rows of the
        -- reservation itself, with its ARN as resource. Rows for what was reserved cost nothing: the
        -- instances that ran in it, and the unused part, are rows of their own
        contains(line_item_usage_type, 'UnusedBox')
        or contains(line_item_usage_type, 'UnusedDed') as is_unused_capacity,
        contains(line_item_usage_type, 'Reservation:')
        or contains(line_item_usage_type, 'DedicatedRes:') as is_reserved_capacity,
        case
            when category = 'Usage' then coalesce(
                capacity_reservation_capacity_reservation_arn,
                case when is_unused_capacity or is_reserved_capacity then line_item_resource_id end
            )
        end as capacity_id,
        -- AWS "Capacity reservation columns": Reserved, Cancelling, Used or Unused
        case
            when capacity_id is null then null
            when capacity_reservation_capacity_reservation_status is not null
            then upper(left(capacity_reservation_capacity_reservation_status, 1))
                || lower(substr(capacity_reservation_capacity_reservation_status, 2))
            when is_unused_capacity then 'Unused'
            when is_reserved_capacity then 'Reserved'
            else 'Used'
        end as capacity_status,
        coalesce(pricing_currency, line_item_currency_code) as price_currency,
        price_currency = line_item_currency_code as is_priced_in_billing_currency,
        case
            when is_unused then 0
            else unit_price(line_item_unblended_rate, quantity, contracted)
        end as contracted_price,
        case
            when is_unused then 0
            when list = contracted and (
                pricing_public_on_demand_rate = line_item_unblended_rate
                or not is_priced_in_billing_currency
            )
            then contracted_price
            else unit_price(pricing_public_on_demand_rate, quantity, list)
        end as list_price
    from cur_priced as priced
    left join services as by_code on by_code.service_code = line_item_product_code
),

final as (
    select
        line_item_availability_zone as AvailabilityZone,
        billed as BilledCost,
        coalesce(bill_payer_account_id, line_item_usage_account_id) as BillingAccountId,
        coalesce(bill_payer_account_name, BillingAccountId) as BillingAccountName,
        'Management Account' as BillingAccountType,
        line_item_currency_code as BillingCurrency,
        bill_end as BillingPeriodEnd,
        bill_billing_period_start_date as BillingPeriodStart,
        capacity_id as CapacityReservationId,
        -- FOCUS 1.2 has no value for what was reserved or is being cancelled
        case when capacity_status in ('Used', 'Unused') then capacity_status end
            as CapacityReservationStatus,
        category as ChargeCategory,
        case when is_correction then 'Correction' end as ChargeClass,
        case
            when is_unused then 'Unused portion of ' || coalesce(commitment_id, '')
            else line_item_line_item_description
        end as ChargeDescription,
        case
            when category = 'Usage' and not is_refund then 'Usage-Based'
            when line_type in ('SavingsPlanRecurringFee', 'RIFee', 'FlatRateSubscription', 'Tax')
            then 'Recurring'
            when line_type = 'Fee' and not is_commitment_fee and bill_bill_type = 'Anniversary'
            then 'Recurring'
            else 'One-Time'
        end as ChargeFrequency,
        case
            when stated_end > period_start then stated_end else period_start + interval 1 hour
        end as ChargePeriodEnd,
        period_start as ChargePeriodStart,
        case commitment_type
            when 'Savings Plan' then 'Spend'
            when 'Reserved Instance' then 'Usage'
        end as CommitmentDiscountCategory,
        commitment_id as CommitmentDiscountId,
        null as CommitmentDiscountName,
        commitment_quantity as CommitmentDiscountQuantity,
        case
            when commitment_id is not null and category = 'Usage'
            then case when is_unused then 'Unused' else 'Used' end
        end as CommitmentDiscountStatus,
        commitment_type as CommitmentDiscountType,
        case
            when commitment_quantity is null then null
            when is_savings_plan then line_item_currency_code
            when x_in_normalized_units then 'NFU-Hours'
            else 'Hours'
        end as CommitmentDiscountUnit,
        case
            when category = 'Usage' and is_refund and not is_correction then quantity
            when category = 'Usage' and row_kind = 'line' and not is_refund
            then coalesce(line_item_usage_amount, 0)
        end as ConsumedQuantity,
        case when ConsumedQuantity is not null then unit end as ConsumedUnit,
        contracted as ContractedCost,
        contracted_price as ContractedUnitPrice,
        effective as EffectiveCost,
        bill_invoice_id as InvoiceId,
        coalesce(bill_invoicing_entity, bill_billing_entity, 'Amazon Web Services, Inc.')
            as InvoiceIssuerName,
        list as ListCost,
        list_price as ListUnitPrice,
        case when quantity is not null then pricing_model end as PricingCategory,
        price_currency as PricingCurrency,
        case when is_priced_in_billing_currency then contracted_price end
            as PricingCurrencyContractedUnitPrice,
        case when is_priced_in_billing_currency then effective end as PricingCurrencyEffectiveCost,
        case
            when is_priced_in_billing_currency then list_price
            when quantity is not null and pricing_public_on_demand_rate >= 0
            then pricing_public_on_demand_rate
        end as PricingCurrencyListUnitPrice,
        quantity as PricingQuantity,
        case when quantity is not null then unit end as PricingUnit,
        'AWS' as ProviderName,
        -- the seller of record; for a Marketplace product, its publisher
        coalesce(
            line_item_legal_entity,
            nullif(bill_billing_entity, 'AWS'),
            bill_invoicing_entity,
            'Amazon Web Services, Inc.'
        ) as PublisherName,
        region as RegionId,
        case
            -- not product_location, which on some rows names the region that data comes from
            when region is not null then coalesce(regions.region_name, region)
        end as RegionName,
        resource as ResourceId,
        case when resource is not null then name_tag end as ResourceName,
        case
            when resource is null then null
            -- covered usage keeps the type of its own resource (FOCUS 1.2 ResourceType)
            else coalesce(
                case when resource = commitment_id then commitment_type end,
                nullif(
                    regexp_extract(resource, '^arn:[^:]*:([^:]*):[^:]*:[^:]*:([a-z-]+)[/:]', 2), ''
                ),
                product_product_family,
                line_item_product_code,
                'Resource'
            )
        end as ResourceType,
        coalesce(by_name.service_category, 'Other') as ServiceCategory,
        service as ServiceName,
        coalesce(by_name.service_subcategory, 'Other (Other)') as ServiceSubcategory,
        case
            when category <> 'Tax'
            -- a discount that applies to a whole bill has no SKU
            and (line_item_usage_type is not null or category in ('Usage', 'Purchase'))
            then coalesce(
                product_sku,
                line_item_product_code || ':' || meter,
                line_type
            )
        end as SkuId,
        case when SkuId is not null then meter end as SkuMeter,
        case
            when SkuId is not null and coalesce(
                product_instance_type, product_vcpu, product_memory, product_operating_system
            ) is not null
            then json_merge_patch('{}', json_object(
                'CoreCount', try_cast(product_vcpu as integer),
                'InstanceType', product_instance_type,
                'OperatingSystem', product_operating_system,
                'x_Memory', product_memory
            ))::varchar
        end as SkuPriceDetails,
        case when SkuId is not null then coalesce(pricing_rate_code, SkuId) end as SkuPriceId,
        line_item_usage_account_id as SubAccountId,
        coalesce(line_item_usage_account_name, line_item_usage_account_id) as SubAccountName,
        'AWS Account' as SubAccountType,
        tags as Tags,
        'AWS' as ServiceProviderName,
        'AWS' as HostProviderName,
        x_source as x_Source,
        row_kind as x_RowKind,
        line_type as x_LineItemType,
        identity_line_item_id as x_LineItemId,
        bill_bill_type as x_BillType,
        bill_billing_entity as x_BillingEntity,
        line_item_tax_type as x_TaxType,
        line_item_product_code as x_ServiceCode,
        line_item_usage_type as x_UsageType,
        line_item_operation as x_Operation,
        product_instance_type as x_InstanceType,
        line_item_iam_principal as x_IamPrincipal,
        line_item_user_identifier as x_UserIdentifier,
        case when not is_unused then unblended end as x_UnblendedCost,
        net_billed as x_NetUnblendedCost,
        net_effective as x_NetEffectiveCost,
        amortized_upfront as x_AmortizedUpfrontCost,
        use_known_until as x_UseKnownUntil,
        not_yet_used as x_NotYetUsedCost,
        case when row_kind = 'line' then pricing_public_on_demand_cost end
            as x_PublicOnDemandCost,
        cost_categories as x_CostCategories,
        discounts as x_Discounts,
        x_source_file as x_SourceFile,
        unknown_columns as x_UnknownColumns,
        case when row_kind = 'line' then split_line_item_parent_resource_id end
            as x_ParentResourceId,
        case when is_split then split_line_item_split_cost end as x_SplitCost,
        case when is_split then split_line_item_unused_cost end as x_SplitUnusedCost,
        case when is_split then split_line_item_net_split_cost end as x_NetSplitCost,
        case when is_split then split_line_item_net_unused_cost end as x_NetSplitUnusedCost,
        capacity_status as x_CapacityReservationStatus,
        tag_keys as x_TagKeys,
        other_tags as x_OtherTags,
        null as x_FilledCosts,
        case
            when commitment_id is null then null
            when is_savings_plan then savings_plan_offering_type
            else pricing_offering_class
        end as x_CommitmentOffering,
        case
            when commitment_id is null then null
            when is_savings_plan then savings_plan_purchase_term
            else pricing_lease_contract_length
        end as x_CommitmentTerm,
        case
            when commitment_id is null then null
            when is_savings_plan then savings_plan_payment_option
            else pricing_purchase_option
        end as x_CommitmentPaymentOption,
        case
            when commitment_id is null then null
            when is_savings_plan then stated_time(savings_plan_start_time)
            else stated_time(reservation_start_time)
        end as x_CommitmentStart,
        case
            when commitment_id is null then null
            when is_savings_plan then stated_time(savings_plan_end_time)
            else stated_time(reservation_end_time)
        end as x_CommitmentEnd,
        x_project as x_Project
    from named
    left join by_name on by_name.service_name = named.service
    left join regions on regions.region_id = region
)

select * from final
