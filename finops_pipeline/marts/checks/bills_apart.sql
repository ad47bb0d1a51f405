-- bills_apart: accounts whose month stands in two sources and costs the very same in both.
-- reads: bill_totals
-- on failure: warn
--
-- Most likely one bill that is brought in twice, as two exports: all costs of it count double. Which of
-- the two is wanted nobody can know here; take one out of the tenant's sources, or of its projects.

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
