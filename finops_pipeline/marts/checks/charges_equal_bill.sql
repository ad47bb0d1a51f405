-- charges_equal_bill: sources and months whose charges, summed over all projects, do not bill what
--   landed.
-- reads: data_status, costs, partitions
-- on failure: warn
--
-- The sum of all projects is the sum of the bill, except while some project's charges of the month
-- have not been built yet (data_status is `incomplete`). Cost Explorer sources have no charges.

with

charged as (
    select
        x_Source as source,
        billing_period,
        BillingCurrency as billing_currency,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from costs
    group by all
),

bill as (
    select source, billing_period, billing_currency, source_cost
    from data_status
    where source_cost is not null and source in (select source from partitions)
),

final as (
    select
        source,
        billing_period,
        billing_currency,
        coalesce(charged.charges, 0) as charges,
        bill.source_cost,
        charged.billed_cost,
        coalesce(charged.billed_cost, 0) - coalesce(bill.source_cost, 0) as difference
    from charged
    full join bill using (source, billing_period, billing_currency)
    where coalesce(charged.billed_cost, 0) <> coalesce(bill.source_cost, 0)
)

select * from final
