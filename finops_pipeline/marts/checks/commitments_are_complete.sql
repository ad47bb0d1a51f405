-- commitments_are_complete: commitments that the inventory does not list exactly once.
-- reads: commitment_utilization, commitments
-- on failure: refuse
--
-- An upfront payment alone puts a commitment into the inventory, before anything used it.

with

listed as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        count(*) as times
    from commitments
    group by all
),

final as (
    select
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        listed.times
    from commitment_utilization
    full join listed using (billing_period, source, commitment_discount_id, billing_currency)
    where listed.times is distinct from 1
)

select * from final
