-- list_and_contracted_costs: usage whose list or contracted cost is negative, or whose contracted
--   cost is above its list cost.
-- reads: costs
-- on failure: warn
--
-- FOCUS 1.2 ListCost, ContractedCost: for usage of a positive quantity that corrects nothing both
-- are at least 0, and list >= contracted (private rates are lower). Exempt are spot usage, whose
-- price moves; goods of other sellers; rows whose public cost is 0 or not stated; refunds, credits
-- and fees; and FOCUS exports, whose costs are as stated (rules of conformance check those).
-- Tolerance: 1e-9 of the cost, as AWS rounds the two separately.

with

usage as (
    select *
    from costs
    where ChargeCategory = 'Usage'
        and ChargeClass is null
        and x_RowKind = 'line'
        and PricingQuantity > 0
        and x_LineItemType <> 'Refund'
        and (ListCost < ContractedCost or ListCost < 0 or ContractedCost < 0)
),

final as (
    select
        project,
        billing_period,
        x_Source as source,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        x_LineItemType as line_item_type,
        x_LineItemId as line_item_id,
        BillingCurrency as billing_currency,
        PricingQuantity as pricing_quantity,
        ListCost as list_cost,
        ContractedCost as contracted_cost
    from usage
    where ListCost < 0
        or ContractedCost < 0
        or (
            ListCost > 0
            and coalesce(PricingCategory, '') <> 'Dynamic'
            and coalesce(x_BillingEntity, 'AWS') = 'AWS'
            and ContractedCost - ListCost > 0.000000001
            and ContractedCost - ListCost > 0.000000001 * ListCost::decimal(28, 9)
        )
)

select * from final
