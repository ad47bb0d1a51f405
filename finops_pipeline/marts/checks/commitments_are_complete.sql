-- commitments_are_complete: commitments that the inventory does not list exactly once.
-- reads: commitment_utilization_hourly, commitments
-- rows only from: commitment_utilization_hourly; commitments
-- on failure: refuse

with

charged as (
    select distinct billing_period, source, commitment_discount_id, billing_currency
    from commitment_utilization_hourly
),

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
        charged.billing_period is not null as has_charges,
        listed.times
    from charged
    full join listed using (billing_period, source, commitment_discount_id, billing_currency)
    where charged.billing_period is null or listed.times is distinct from 1
)

select * from final
