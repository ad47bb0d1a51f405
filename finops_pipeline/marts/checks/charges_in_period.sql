-- charges_in_period: usage on days that are not in the billing period of its bill.
-- reads: costs
-- on failure: warn
--
-- Usage starts and ends within its billing period. Exempt are refunds, credits and corrections
-- (they belong to earlier months), purchases and fees (an upfront fee's term runs for years), tax
-- and other adjustments, and FOCUS exports, for which a rule of conformance checks the same. AWS
-- has billed late usage in the next month's bill: such rows are reported and stay.

with

final as (
    select
        project,
        billing_period,
        x_Source as source,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        x_LineItemType as line_item_type,
        min(x_LineItemId) as line_item_id,
        min(ChargePeriodStart) as first_start,
        max(ChargePeriodEnd) as last_end,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from costs
    where ChargeCategory = 'Usage'
        and ChargeClass is null
        and x_RowKind = 'line'
        and x_LineItemType <> 'Refund'
        and (
            ChargePeriodStart < BillingPeriodStart
            or ChargePeriodStart >= BillingPeriodEnd
            or ChargePeriodEnd > BillingPeriodEnd
        )
    group by all
)

select * from final
