-- unused_capacity: cost of reserved capacity that was not used.
-- use case: Identify unused capacity reservations (FOCUS 1.1)
-- grain: billing_period, sub_account_id, capacity_reservation_id, billing_currency
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
        BillingCurrency as billing_currency,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost
    from charge
    where CapacityReservationStatus = 'Unused'
    group by all
    order by billing_period, sub_account_id, capacity_reservation_id, billing_currency
)

select * from final
