-- net_basis_whole: bills that state net costs on some of their charges and not on others.
-- reads: costs
-- rows only from: costs where x_NetUnblendedCost is not null
-- on failure: warn
--
-- Where AWS states net costs (after private discounts), it does so on every line item; on the gross
-- basis the discounts are lines of their own. A bill with both would count a discount twice, or not
-- at all.

with

by_month as (
    select
        x_Source as source,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as lines,
        count(x_NetUnblendedCost) as lines_with_net,
        sum(BilledCost) filter (x_NetUnblendedCost is null) as billed_without_net,
        min(x_LineItemType) filter (x_NetUnblendedCost is null) as line_item_type,
        min(SubAccountId) filter (x_NetUnblendedCost is null) as sub_account_id,
        min(x_LineItemId) filter (x_NetUnblendedCost is null) as line_item_id
    from costs
    where x_RowKind = 'line' and x_LineItemType is not null
    group by all
),

final as (
    select *
    from by_month
    where lines_with_net > 0 and lines_with_net < lines
)

select * from final
