-- monthly_bill_equals_charges: sources and months whose monthly_bill is not the sum of charges.
-- reads: costs, monthly_bill
-- on failure: refuse

with

charged as (
    select
        x_Source as source,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(
            case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0
            else x_NetUnblendedCost end
        )::decimal(38, 18) as net_billed_cost
    from costs
    group by all
),

told as (
    select
        source,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        -- groups that state no net cost say nothing of the whole
        case when count(net_billed_cost) = count(*) then sum(net_billed_cost) end
            as net_billed_cost
    from monthly_bill
    group by all
),

final as (
    select
        source,
        billing_period,
        billing_currency,
        charged.charges as charges_of_charges,
        told.charges as charges_of_mart,
        charged.billed_cost as billed_by_charges,
        told.billed_cost as billed_by_mart,
        charged.net_billed_cost as net_billed_by_charges,
        told.net_billed_cost as net_billed_by_mart
    from charged
    full join told using (source, billing_period, billing_currency)
    where charged.charges is distinct from told.charges
        or charged.billed_cost is distinct from told.billed_cost
        or told.net_billed_cost is distinct from charged.net_billed_cost
            and told.net_billed_cost is not null
)

select * from final
