-- anomalous_days: days on which an account spent far more on a service than in the 14 days before.
-- use case: Identify anomalous daily spending by sub account and service (FOCUS 1.0)
-- grain: charge_date, sub_account_id, service_name, billing_currency
-- money: effective_cost, usual_cost (billing currency; usual_cost is rounded to 6 places)
-- parameters: times = 2, least = 1
-- values: times = factor, least = amount
-- reads: costs_focus_1_2

with

-- the month before the first one is read for comparison; its days are not shown
charge as (
    select *
    from costs_focus_1_2
    where BillingPeriodStart >= $from::date - interval 1 month and BillingPeriodStart < $to
),

daily as (
    select
        ChargePeriodStart::date as charge_date,
        SubAccountId as sub_account_id,
        ServiceName as service_name,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) as effective_cost
    from charge
    where ChargeCategory = 'Usage' and ChargeClass is null
        -- AWS states the unused part of a reservation once a month; it is not spent on that day
        and CommitmentDiscountStatus is distinct from 'Unused'
    group by all
),

compared as (
    select
        *,
        count(*) over before as days_before,
        sum(effective_cost) over before as cost_before
    from daily
    window before as (
        partition by sub_account_id, service_name, billing_currency
        order by charge_date
        range between interval 14 day preceding and interval 1 day preceding
    )
),

-- compared without a division, which would round a mean of tiny costs; a day that costs less than
-- `least` more than usual is no anomaly, whatever the ratio
final as (
    select
        charge_date,
        sub_account_id,
        service_name,
        billing_currency,
        effective_cost,
        (cost_before / days_before)::decimal(38, 6) as usual_cost,
        days_before
    from compared
    where days_before >= 3
        and effective_cost * days_before > cost_before * $times::decimal(9, 2)
        and (effective_cost - $least::decimal(18, 6)) * days_before >= cost_before
        and charge_date >= $from and charge_date < $to
    order by charge_date, effective_cost desc, sub_account_id, service_name, billing_currency
)

select * from final
