-- charges_in_period: usage on days that are not of the bill it stands in.
-- reads: costs
-- on failure: warn
--
-- Usage starts in its billing period and ends with it. Not asked of refunds, credits and corrections
-- (they belong to earlier months), purchases and fees (an upfront fee's term runs for years), tax
-- and other adjustments; nor of FOCUS exports, of which conformance tells the like. AWS has billed
-- late usage in the next month's bill: it is told, and kept.

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
