-- monthly_bill: what AWS bills (unblended, gross), by source and invoice, whatever the project.
-- grain: billing_period, source, billing_account_id, invoice_id, invoice_issuer_name,
--        sub_account_id, service_name, charge_category, billing_currency
-- money: billed_cost; net_billed_cost, null unless every charge of the group states it (billing
--        currency, exact decimal; for amortized cost see monthly_costs)
-- reads: costs
-- lookback: 0 months
-- check: monthly_bill_equals_charges
-- slice: billing_period

with

charge as (
    select * from costs
),

final as (
    select
        billing_period,
        x_Source as source,
        BillingAccountId as billing_account_id,
        InvoiceId as invoice_id,
        InvoiceIssuerName as invoice_issuer_name,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        ChargeCategory as charge_category,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        -- the unused part of a fee and covered usage bill nothing: the fee itself was billed
        case
            when count(x_NetUnblendedCost) > 0
            and count(*) filter (x_NetUnblendedCost is null and x_RowKind <> 'unused') = 0
            then sum(
                case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0
                else x_NetUnblendedCost end
            )
        end::decimal(38, 18) as net_billed_cost
    from charge
    group by all
)

select * from final
