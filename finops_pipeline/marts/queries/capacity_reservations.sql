-- capacity_reservations: what capacity reservations cost, used and unused.
-- use case: Analyze capacity reservations on compute costs (FOCUS 1.1)
-- grain: billing_period, sub_account_id, capacity_reservation_id, capacity_reservation_status,
--        billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

final as (
    select
        billing_period,
        SubAccountId as sub_account_id,
        CapacityReservationId as capacity_reservation_id,
        CapacityReservationStatus as capacity_reservation_status,
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where CapacityReservationId is not null
    group by all
    order by
        billing_period,
        sub_account_id,
        capacity_reservation_id,
        capacity_reservation_status,
        billing_currency
)

select * from final
