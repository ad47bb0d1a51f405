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
        sum(BilledCost) as billed_cost
    from costs
    group by all
),

told as (
    select
        source,
        billing_period,
        billing_currency,
        sum(charges)::bigint as charges,
        sum(billed_cost) as billed_cost
    from monthly_bill
    group by all
),

final as (
    (select 'charges say' as what, * from charged except select 'charges say', * from told)
    union all
    (select 'monthly_bill says', * from told except select 'monthly_bill says', * from charged)
)

select * from final
