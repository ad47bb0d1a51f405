-- charges_equal_lines: landed rows that did not become exactly one charge each, or whose charges
--   bill a different amount.
-- reads: costs, bill_totals
-- on failure: refuse
--
-- Compared by project, source, month, account, service code and line item type: every landed row is
-- one charge (x_RowKind line) and bills its unblended cost. Savings Plan negations are not charges;
-- covered usage bills nothing, and what negations did not cancel is a charge of its own (residual):
-- these three are compared as one sum of the account. Unused rows come in addition and bill
-- nothing.

with

charged as (
    select
        project,
        billing_period,
        x_Source as source,
        SubAccountId as sub_account_id,
        coalesce(x_ServiceCode, ServiceName) as service_code,
        coalesce(x_LineItemType, ChargeCategory) as line_item_type,
        BillingCurrency as billing_currency,
        count(*) filter (x_RowKind = 'line') as charges,
        sum(BilledCost) as billed_cost
    from costs
    group by all
),

landed as (
    select * from bill_totals
),

-- both sides in one column each; Savings Plan rows that cancel out are summed by account
side as (
    select
        project, billing_period, source, sub_account_id, service_code, line_item_type,
        billing_currency, 0 as landed_rows, charges, 0::decimal(38, 18) as unblended_cost,
        billed_cost
    from charged
    union all
    select
        project, billing_period, source, sub_account_id, service_code, line_item_type,
        billing_currency, case when line_item_type = 'SavingsPlanNegation' then 0 else rows end, 0,
        billed_cost, 0
    from landed
),

netted as (
    select
        *,
        line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') as is_netted
    from side
),

compared as (
    select
        * replace (
            case when is_netted then 0 else unblended_cost end as unblended_cost,
            case when is_netted then 0 else billed_cost end as billed_cost
        )
    from netted
    union all
    select
        * replace (
            null as service_code,
            'Savings Plan usage and negations' as line_item_type,
            0 as landed_rows,
            0 as charges
        )
    from netted
    where is_netted
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
        sum(landed_rows)::bigint as landed_rows,
        sum(charges)::bigint as charges,
        sum(unblended_cost) as unblended_cost,
        sum(billed_cost) as billed_cost,
        sum(billed_cost) - sum(unblended_cost) as difference
    from compared
    where (project, billing_period) in (select (project, billing_period) from landed)
    group by all
    having sum(landed_rows) <> sum(charges) or sum(billed_cost) <> sum(unblended_cost)
)

select * from final
