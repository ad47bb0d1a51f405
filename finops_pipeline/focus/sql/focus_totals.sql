-- focus_totals: totals of the landed rows of a FOCUS export, before they become charges.
-- grain: x_project, sub_account_id, service_code, line_item_type, billing_currency
-- money: billed_cost (BilledCost), effective_cost (EffectiveCost, where it is not null)
-- reads: focus_rows
-- check: charges_equal_lines, effective_equals_lines
--
-- focus_rows holds the export's columns under their FOCUS ids, typed; x_Project is the project that
-- owns the row. A FOCUS export has no line item types; ChargeCategory takes their place.

with

focus_row as (
    select * from focus_rows
),

final as (
    select
        x_Project as x_project,
        SubAccountId as sub_account_id,
        coalesce(x_ServiceCode, ServiceName, 'AWS') as service_code,
        ChargeCategory as line_item_type,
        BillingCurrency as billing_currency,
        count(*) as rows,
        sum(BilledCost) as billed_cost,
        sum(coalesce(EffectiveCost, BilledCost)) as effective_cost,
        null as net_billed_cost
    from focus_row
    group by all
)

select * from final
