-- effective_equals_lines: accounts and services whose charges do not add up to AWS's amortized cost
--   of their rows.
-- reads: costs, bill_totals
-- on failure: warn
--
-- Compared by project, source, month, account, service code and line item type: EffectiveCost of
-- lines and unused rows = amortized cost by AWS's definition, summed from the landed rows before
-- they became charges. Residuals of negations are billed, not amortized, and are left out.

with

side as (
    select
        project,
        billing_period,
        x_Source as source,
        SubAccountId as sub_account_id,
        coalesce(x_ServiceCode, ServiceName) as service_code,
        coalesce(x_LineItemType, ChargeCategory) as line_item_type,
        BillingCurrency as billing_currency,
        0::decimal(38, 18) as amortized_cost,
        sum(EffectiveCost) as effective_cost
    from costs
    where x_RowKind <> 'residual'
    group by all
    union all
    select
        project, billing_period, source, sub_account_id, service_code, line_item_type,
        billing_currency, effective_cost, 0
    from bill_totals
),

final as (
    select
        project,
        billing_period,
        source,
        sub_account_id,
        service_code,
        line_item_type,
        billing_currency,
        sum(amortized_cost) as amortized_cost,
        sum(effective_cost) as effective_cost,
        sum(effective_cost) - sum(amortized_cost) as difference
    from side
    where (project, billing_period) in (select (project, billing_period) from bill_totals)
    group by all
    having sum(effective_cost) <> sum(amortized_cost)
)

select * from final
