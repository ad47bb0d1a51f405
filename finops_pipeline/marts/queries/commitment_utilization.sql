-- commitment_utilization: how much of each commitment was used.
-- use case: How much of our commitments do we use?
-- grain: billing_period, source, commitment_discount_id, billing_currency
-- money: total_cost, used_cost, unused_cost (amortized; billing currency, exact decimal)
-- reads: commitment_utilization
--
-- used_percent is the used part of the fees. In an unfinished month, the hours still to come do not
-- lower it.

with

utilization as (
    select *
    from commitment_utilization
    where cast(billing_period || '-01' as date) >= $from
        and cast(billing_period || '-01' as date) < $to
),

final as (
    select
        billing_period,
        source,
        project,
        commitment_discount_id,
        commitment_discount_type,
        billing_currency,
        total_cost,
        used_cost,
        unused_cost,
        used_percent,
        total_quantity,
        unused_quantity,
        commitment_discount_unit,
        used_quantity_percent,
        note
    from utilization
    order by billing_period, source, commitment_discount_id, billing_currency
)

select * from final
