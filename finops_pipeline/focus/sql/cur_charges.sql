-- cur_charges: line items of a Cost and Usage Report (legacy or 2.0) as FOCUS 1.2 charges.
-- grain: one charge: a line item, the unused part of a commitment fee, or a residual
-- money: BilledCost (unblended), EffectiveCost (amortized), ListCost, ContractedCost (gross basis)
-- check: charges_equal_bill
--
-- Reads line_items (a source's columns under CUR 2.0 names, typed; x_project: whose row it is),
-- services, regions.
-- Rules by line item type: FOCUS 1.2 CommitmentDiscount and DiscountHandling; AWS "Understanding
-- your Savings Plans / reservation line items", "Split line item details". Covered usage bills
-- nothing (its commitment was billed), negations fall away against it, commitment fees (and their
-- refunds) cost nothing effectively, and what they leave unused becomes a row of its own. Split
-- rows (tasks and pods) repeat what their instance costs, so that is kept beside the costs.
-- Net amounts stand beside too, never in the four costs; where no net is stated there is none.

with

by_name as (
    select distinct service_name, service_category, service_subcategory from services
),

line_item as (
    select
        *,
        line_item_line_item_type as line_type,
        line_item_unblended_cost as unblended,
        coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) as arn,
        savings_plan_savings_plan_a_r_n is not null as is_savings_plan,
        line_item_net_unblended_cost as net,
        split_line_item_parent_resource_id is not null as is_split,
        line_item_line_item_type = 'Refund' as is_refund,
        -- of a commitment's fee: AWS does not always state the ARN of a plan that was returned
        is_refund and line_item_tax_type is null and (
            arn is not null or coalesce(ends_with(line_item_product_code, 'SavingsPlans'), false)
        ) as is_fee_refund,
        line_item_usage_start_date as period_start,
        exclusive_end(line_item_usage_end_date) as stated_end,
        exclusive_end(bill_billing_period_end_date) as bill_end
    from line_items
),

-- what each type is; everything below only asks these words
typed as (
    select
        *,
        case
            when line_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Usage'
            when line_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee', 'Fee')
            then 'Purchase'
            when line_type = 'Tax' then 'Tax'
            when line_type = 'Credit' then 'Credit'
            when is_fee_refund then 'Purchase'
            when is_refund and line_item_tax_type is not null then 'Tax'
            when is_refund then 'Usage'
            else 'Adjustment'
        end as category,
        is_refund and (
            coalesce(bill_bill_type = 'Refund', false)
            or coalesce(stated_end <= bill_billing_period_start_date, false)
        ) as is_correction,
        line_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') and not is_split as is_covered,
        line_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee')
        or is_fee_refund
        or (line_type = 'Fee' and arn is not null) as is_commitment_fee,
        case
            when not is_split and line_type in (
                'DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanRecurringFee',
                'SavingsPlanUpfrontFee', 'RIFee', 'Fee', 'Refund'
            )
            then arn
        end as commitment_id,
        coalesce(pricing_purchase_option = 'Spot', false)
        or coalesce(contains(line_item_usage_type, 'SpotUsage'), false) as is_spot,
        -- the part of a fee's commitment that nothing used
        case
            when is_split then 0
            when line_type = 'SavingsPlanRecurringFee'
            then coalesce(
                savings_plan_total_commitment_to_date - savings_plan_used_commitment, 0
            )
            when line_type = 'RIFee'
            then coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
                + coalesce(reservation_unused_recurring_fee, 0)
            else 0
        end as unused_cost
    from line_item
    where line_type <> 'SavingsPlanNegation'
),

-- a fee that was not all used becomes two rows: the purchase and its unused part
row as (
    select
        * replace (case when row_kind = 'unused' then 'Usage' else category end as category),
        row_kind = 'unused' as is_unused
    from (
        select
            *,
            unnest(case when unused_cost <> 0 then ['line', 'unused'] else ['line'] end) as row_kind
        from typed
    )
),

priced_row as (
    select
        *,
        case
            when is_unused or line_type = 'SavingsPlanCoveredUsage' then 0 else unblended
        end as billed,
        case
            when is_unused then unused_cost
            when is_split then billed
            when line_type = 'SavingsPlanCoveredUsage'
            then coalesce(savings_plan_savings_plan_effective_cost, 0)
            when line_type = 'DiscountedUsage' then coalesce(reservation_effective_cost, unblended)
            when is_commitment_fee then 0
            else unblended
        end as effective,
        case
            when net is null then null
            when is_unused or line_type = 'SavingsPlanCoveredUsage' then 0
            else net
        end as net_billed,
        case
            when is_unused and line_type = 'RIFee'
            then coalesce(
                reservation_net_unused_amortized_upfront_fee_for_billing_period
                + reservation_net_unused_recurring_fee,
                reservation_net_unused_amortized_upfront_fee_for_billing_period,
                reservation_net_unused_recurring_fee
            )
            when is_unused
            then share_of(
                coalesce(
                    savings_plan_net_amortized_upfront_commitment_for_billing_period
                    + savings_plan_net_recurring_commitment_for_billing_period,
                    savings_plan_net_amortized_upfront_commitment_for_billing_period,
                    savings_plan_net_recurring_commitment_for_billing_period
                ),
                unused_cost,
                savings_plan_total_commitment_to_date
            )
            when is_split then net_billed
            when line_type = 'SavingsPlanCoveredUsage'
            then savings_plan_net_savings_plan_effective_cost
            when line_type = 'DiscountedUsage' then reservation_net_effective_cost
            when is_commitment_fee and net is not null then 0
            else net
        end as net_effective,
        case
            when is_unused then 0
            when is_split then billed
            when line_type = 'DiscountedUsage'
            then coalesce(pricing_public_on_demand_cost, reservation_effective_cost, unblended)
            when category = 'Usage' and not is_refund
            then coalesce(pricing_public_on_demand_cost, unblended)
            else unblended
        end as list,
        case
            when is_unused then 0
            when is_split then billed
            when line_type = 'DiscountedUsage'
            then coalesce(pricing_public_on_demand_cost, reservation_effective_cost, unblended)
            else unblended
        end as contracted,
        -- a price has something to be multiplied with, and as prices are never negative, its
        -- sign is the cost's
        coalesce(
            nullif(abs(line_item_usage_amount), 0),
            case when category = 'Purchase' or contracted <> 0 or list <> 0 then 1 else 0 end
        ) as size,
        case
            when is_unused and is_savings_plan then unused_cost
            when is_unused then coalesce(reservation_unused_quantity, 0)
            when is_correction or category not in ('Usage', 'Purchase') then null
            when coalesce(nullif(contracted, 0), nullif(list, 0), line_item_usage_amount) < 0
            then -size
            else size
        end as quantity,
        case
            when commitment_id is null then null
            when is_unused then 'Unused'
            when category = 'Usage' and is_covered then 'Used'
        end as commitment_status,
        -- one unit for all rows of a commitment: used and unused add up to what was purchased
        case
            when commitment_id is null or is_correction or category not in ('Usage', 'Purchase')
            then null
            when is_savings_plan
            then case
                when is_unused then unused_cost
                when line_type = 'SavingsPlanCoveredUsage' then effective
                when line_type = 'SavingsPlanRecurringFee'
                then coalesce(savings_plan_total_commitment_to_date, unblended)
                else unblended
            end
            when x_in_normalized_units
            then case
                when is_unused then coalesce(reservation_unused_normalized_unit_quantity, 0)
                when is_refund then -abs(coalesce(line_item_normalized_usage_amount, 0))
                when category = 'Purchase'
                then coalesce(
                    reservation_total_reserved_normalized_units,
                    normalized(reservation_total_reserved_units, line_item_normalization_factor),
                    line_item_normalized_usage_amount,
                    0
                )
                else coalesce(line_item_normalized_usage_amount, 0)
            end
            when is_unused or is_refund then quantity
            when category = 'Purchase'
            then coalesce(reservation_total_reserved_units, line_item_usage_amount, 0)
            else coalesce(line_item_usage_amount, 0)
        end as commitment_quantity,
        case
            when is_unused then null
            when line_type = 'SavingsPlanRecurringFee'
            then coalesce(savings_plan_amortized_upfront_commitment_for_billing_period, 0)
            when line_type = 'RIFee'
            then coalesce(reservation_amortized_upfront_fee_for_billing_period, 0)
        end as amortized_upfront
    from row
),

-- what negations did not cancel, to the last decimal (usually nothing): an adjustment, so
-- that every account's charges still add up to its bill
residual as (
    select
        'residual' as row_kind,
        'SavingsPlanNegation' as line_type,
        'Adjustment' as category,
        false as is_unused,
        false as is_refund,
        false as is_correction,
        false as is_commitment_fee,
        false as is_covered,
        false as is_savings_plan,
        false as is_spot,
        false as is_split,
        'Rest of Savings Plan negations' as line_item_line_item_description,
        line_item_usage_account_id,
        min(line_item_usage_account_name) as line_item_usage_account_name,
        line_item_currency_code,
        min(bill_payer_account_id) as bill_payer_account_id,
        min(bill_payer_account_name) as bill_payer_account_name,
        min(bill_invoicing_entity) as bill_invoicing_entity,
        min(bill_billing_entity) as bill_billing_entity,
        min(bill_invoice_id) as bill_invoice_id,
        min(bill_bill_type) as bill_bill_type,
        min(bill_billing_period_start_date) as bill_billing_period_start_date,
        exclusive_end(min(bill_billing_period_end_date)) as bill_end,
        min(line_item_usage_start_date) as period_start,
        exclusive_end(max(line_item_usage_end_date)) as stated_end,
        min(line_item_product_code) as line_item_product_code,
        min(product_product_name) as product_product_name,
        min(line_item_legal_entity) as line_item_legal_entity,
        min(x_source) as x_source,
        min(x_source_file) as x_source_file,
        x_project,
        sum(line_item_unblended_cost) as billed,
        sum(line_item_net_unblended_cost) as net_billed,
        net_billed as net_effective,
        billed as effective,
        billed as list,
        billed as contracted,
        billed as unblended
    from line_items
    where line_item_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
    group by
        x_project,
        line_item_usage_account_id,
        savings_plan_savings_plan_a_r_n,
        line_item_currency_code
    having sum(line_item_unblended_cost) <> 0 or sum(line_item_net_unblended_cost) <> 0
),

charge as (
    select * from priced_row
    union all by name
    select * from residual
),

named as (
    select
        charge.*,
        coalesce(
            product_product_name, by_code.service_name, line_item_product_code, 'AWS'
        ) as service,
        nullif(
            coalesce(
                product_region_code,
                product_region,
                nullif(
                    regexp_extract(line_item_availability_zone, '^[a-z]{2}(-[a-z]+)+-[0-9]+'), ''
                )
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
        case
            when is_unused then 0
            else unit_price(line_item_unblended_rate, quantity, contracted)
        end as contracted_price,
        case
            when is_unused then 0
            when pricing_public_on_demand_rate = line_item_unblended_rate and list = contracted
            then contracted_price
            else unit_price(pricing_public_on_demand_rate, quantity, list)
        end as list_price
    from charge
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
        case
            when category = 'Usage' then coalesce(
                capacity_reservation_capacity_reservation_arn,
                case
                    when contains(line_item_usage_type, 'UnusedBox')
                    or contains(line_item_usage_type, 'UnusedDed')
                    or contains(line_item_usage_type, 'Reservation:')
                    then line_item_resource_id
                end
            )
        end as CapacityReservationId,
        case
            when CapacityReservationId is null then null
            when contains(lower(capacity_reservation_capacity_reservation_status), 'unused')
            or contains(line_item_usage_type, 'UnusedBox')
            or contains(line_item_usage_type, 'UnusedDed')
            then 'Unused'
            else 'Used'
        end as CapacityReservationStatus,
        category as ChargeCategory,
        case when is_correction then 'Correction' end as ChargeClass,
        case
            when is_unused then 'Unused portion of ' || coalesce(commitment_id, '')
            else line_item_line_item_description
        end as ChargeDescription,
        case
            when category = 'Usage' and not is_refund then 'Usage-Based'
            when line_type in ('SavingsPlanRecurringFee', 'RIFee', 'Tax') then 'Recurring'
            when line_type = 'Fee' and not is_commitment_fee and bill_bill_type = 'Anniversary'
            then 'Recurring'
            else 'One-Time'
        end as ChargeFrequency,
        case
            when stated_end > period_start then stated_end else period_start + interval 1 hour
        end as ChargePeriodEnd,
        period_start as ChargePeriodStart,
        case
            when commitment_id is null then null when is_savings_plan then 'Spend' else 'Usage'
        end as CommitmentDiscountCategory,
        commitment_id as CommitmentDiscountId,
        null as CommitmentDiscountName,
        commitment_quantity as CommitmentDiscountQuantity,
        coalesce(
            commitment_status,
            case when commitment_id is not null and category = 'Usage' then 'Used' end
        ) as CommitmentDiscountStatus,
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
        coalesce(pricing_currency, line_item_currency_code) as PricingCurrency,
        case when PricingCurrency = line_item_currency_code then contracted_price end
            as PricingCurrencyContractedUnitPrice,
        case when PricingCurrency = line_item_currency_code then effective end
            as PricingCurrencyEffectiveCost,
        case when PricingCurrency = line_item_currency_code then list_price end
            as PricingCurrencyListUnitPrice,
        quantity as PricingQuantity,
        case when quantity is not null then unit end as PricingUnit,
        'AWS' as ProviderName,
        -- the seller of record: of a Marketplace product its publisher
        coalesce(
            line_item_legal_entity,
            nullif(bill_billing_entity, 'AWS'),
            bill_invoicing_entity,
            'Amazon Web Services, Inc.'
        ) as PublisherName,
        region as RegionId,
        case
            -- not product_location: it names where data comes from on some rows of a region
            when region is not null then coalesce(regions.region_name, region)
        end as RegionName,
        resource as ResourceId,
        case when resource is not null then json_extract_string(tags, '$."Name"') end
            as ResourceName,
        case
            when resource is null then null
            else coalesce(
                commitment_type,
                nullif(regexp_extract(resource, '^arn:[^:]*:([^:]*):[^:]*:[^:]*:([a-z-]+)[/:]', 2), ''),
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
            -- a discount of everything is of no SKU
            and (line_item_usage_type is not null or category in ('Usage', 'Purchase'))
            then coalesce(
                product_sku,
                line_item_product_code || ':' || coalesce(line_item_usage_type, line_type),
                line_type
            )
        end as SkuId,
        case when SkuId is not null then coalesce(line_item_usage_type, line_type) end as SkuMeter,
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
        case when not is_unused then unblended end as x_UnblendedCost,
        net_billed as x_NetUnblendedCost,
        net_effective as x_NetEffectiveCost,
        amortized_upfront as x_AmortizedUpfrontCost,
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
        x_project as x_Project
    from named
    left join by_name on by_name.service_name = named.service
    left join regions on regions.region_id = region
)

select * from final
