-- commitments: the reservations and Savings Plans whose fees some projects pay alone.
-- grain: billing_period, source, commitment_discount_id, billing_currency
-- money: as commitments
-- reads: commitments, commitment_utilization_hourly
-- parameters: projects
--
-- A commitment whose fee another project pays in any period of the month is left out, as is one
-- without a fee: its row would be that of whoever uses it first.

with

paid_by_others as (
    select distinct billing_period, source, commitment_discount_id, billing_currency
    from commitment_utilization_hourly
    where not list_contains($projects::varchar[], fee_project)
)

select *
from commitments
where list_contains($projects::varchar[], project)
    and owner_account_id is not null
    and (billing_period, source, commitment_discount_id, billing_currency)
    not in (from paid_by_others)
