-- charges_equal_bill: sources and months whose charges do not bill what the delivery bills.
-- reads: data_status
-- on failure: warn

with

final as (
    select
        source,
        billing_period,
        billing_currency,
        source_cost,
        billed_cost,
        billed_cost - source_cost as difference
    from data_status
    where billed_cost <> source_cost
)

select * from final
