-- monthly_bill_equals_charges: sources and months whose monthly_bill is not the sum of their
--   charges.
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

summed as (
    select
        source,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost,
        -- the sum is not known where some groups state no net cost
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
        summed.charges as charges_of_mart,
        charged.billed_cost as billed_by_charges,
        summed.billed_cost as billed_by_mart,
        charged.net_billed_cost as net_billed_by_charges,
        summed.net_billed_cost as net_billed_by_mart
    from charged
    full join summed using (source, billing_period, billing_currency)
    where charged.charges is distinct from summed.charges
        or charged.billed_cost is distinct from summed.billed_cost
        or summed.net_billed_cost is distinct from charged.net_billed_cost
            and summed.net_billed_cost is not null
)

select * from final
