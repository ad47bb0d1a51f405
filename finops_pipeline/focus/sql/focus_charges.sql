-- focus_charges: rows of a FOCUS export (1.0, 1.2 or 1.3, AWS or other) as FOCUS 1.2 charges.
-- grain: one charge: a row of the export
-- money: BilledCost, EffectiveCost, ListCost, ContractedCost, as the export states them
-- reads: focus_rows, services
-- check: charges_equal_bill
--
-- focus_rows holds the export's columns under their FOCUS ids, typed, absent ones null; x_Project
-- is the project that owns the row. Fills what AWS leaves null although FOCUS requires it (AWS
-- "FOCUS 1.2 conformance gaps"), but never invents a cost: a cost that is null, which FOCUS does not
-- allow, is filled from the next basis, and x_FilledCosts names it. FOCUS 1.3 replaces ProviderName by
-- ServiceProviderName and HostProviderName; what an export states in them is kept.

with

by_name as (
    select distinct service_name, service_category, service_subcategory from services
),

focus_row as (
    select focus_rows.*, by_name.service_category, by_name.service_subcategory
    from focus_rows
    left join by_name on by_name.service_name = focus_rows.ServiceName
),

final as (
    select
        * exclude (service_category, service_subcategory) replace (
            coalesce(EffectiveCost, BilledCost) as EffectiveCost,
            coalesce(ListCost, ContractedCost, BilledCost) as ListCost,
            coalesce(ContractedCost, BilledCost) as ContractedCost,
            coalesce(BillingAccountId, SubAccountId, '') as BillingAccountId,
            coalesce(
                exclusive_end(BillingPeriodEnd), BillingPeriodStart + interval 1 month
            ) as BillingPeriodEnd,
            case
                when exclusive_end(ChargePeriodEnd) > ChargePeriodStart
                then exclusive_end(ChargePeriodEnd)
                else ChargePeriodStart + interval 1 hour
            end as ChargePeriodEnd,
            coalesce(ChargeFrequency, 'Usage-Based') as ChargeFrequency,
            coalesce(ProviderName, ServiceProviderName, 'AWS') as ProviderName,
            coalesce(PublisherName, ProviderName, ServiceProviderName, 'AWS') as PublisherName,
            coalesce(InvoiceIssuerName, ProviderName, ServiceProviderName, 'AWS')
                as InvoiceIssuerName,
            coalesce(ServiceProviderName, ProviderName, 'AWS') as ServiceProviderName,
            -- an export of 1.3 may leave the host null
            case
                when ServiceProviderName is not null then HostProviderName
                else coalesce(HostProviderName, ProviderName, 'AWS')
            end as HostProviderName,
            coalesce(PricingCurrency, BillingCurrency) as PricingCurrency,
            coalesce(
                PricingCurrencyEffectiveCost,
                case
                    when coalesce(PricingCurrency, BillingCurrency) = BillingCurrency
                    then coalesce(EffectiveCost, BilledCost)
                end
            ) as PricingCurrencyEffectiveCost,
            -- FOCUS 1.0 does not have account types
            coalesce(BillingAccountType, 'Management Account') as BillingAccountType,
            case when SubAccountId is not null then coalesce(SubAccountType, 'AWS Account') end
                as SubAccountType,
            case when PricingQuantity is not null then coalesce(PricingUnit, 'Units') end
                as PricingUnit,
            coalesce(ServiceCategory, 'Other') as ServiceCategory,
            coalesce(
                ServiceSubcategory,
                case when service_category = ServiceCategory then service_subcategory end,
                'Other (' || coalesce(ServiceCategory, 'Other') || ')'
            ) as ServiceSubcategory,
            coalesce(ServiceName, x_ServiceCode, 'AWS') as ServiceName,
            coalesce(SkuMeter, x_UsageType) as SkuMeter,
            case when SubAccountId is not null then coalesce(SubAccountName, SubAccountId) end
                as SubAccountName
        ),
        nullif(concat_ws(
            ', ',
            case when ContractedCost is null then 'ContractedCost' end,
            case when ListCost is null then 'ListCost' end
        ), '') as x_FilledCosts,
        'line' as x_RowKind,
        x_UsageType as x_UsageType,
        null as x_LineItemType,
        null as x_LineItemId,
        null as x_BillType,
        null as x_BillingEntity,
        null as x_TaxType,
        null as x_InstanceType,
        null as x_IamPrincipal,
        null as x_UserIdentifier,
        null as x_UnblendedCost,
        null as x_NetUnblendedCost,
        null as x_NetEffectiveCost,
        null as x_AmortizedUpfrontCost,
        null as x_UseKnownUntil,
        null as x_NotYetUsedCost,
        null as x_PublicOnDemandCost,
        null as x_ParentResourceId,
        null as x_SplitCost,
        null as x_SplitUnusedCost,
        null as x_NetSplitCost,
        null as x_NetSplitUnusedCost,
        null as x_CapacityReservationStatus,
        null as x_TagKeys,
        null as x_OtherTags,
        null as x_CommitmentOffering,
        null as x_CommitmentTerm,
        null as x_CommitmentPaymentOption,
        null as x_CommitmentStart,
        null as x_CommitmentEnd
    from focus_row
)

select * from final
