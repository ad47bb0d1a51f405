-- bills_apart: accounts with a month that is in two sources and costs exactly the same in both.
-- reads: bill_totals
-- on failure: warn
--
-- Most likely the same bill is ingested twice, as two exports, and all its costs count double. The
-- pipeline cannot know which of the two is right: remove one of them from the tenant's sources, or
-- from the projects that read it.

with

account as (
    select
        billing_period,
        source,
        sub_account_id,
        billing_currency,
        sum(rows)::bigint as landed_rows,
        sum(billed_cost) as billed_cost
    from bill_totals
    group by all
),

final as (
    select
        billing_period,
        min(source) as source,
        max(source) as other_source,
        sub_account_id,
        billing_currency,
        min(landed_rows) as landed_rows,
        billed_cost
    from account
    where billed_cost <> 0
    group by billing_period, sub_account_id, billing_currency, billed_cost
    having count(*) > 1
)

select * from final
