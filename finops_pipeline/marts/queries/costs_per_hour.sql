-- costs_per_hour: what each hour of the last 35 days cost, by project and service.
-- use case: What does an hour cost?
-- grain: charge_hour, project, service_name, billing_currency
-- money: billed_cost, effective_cost (billing currency, exact decimal)
-- parameters: least = 0.01
-- values: least = amount
-- reads: hourly_costs
--
-- It contains only hourly sources. Rows below `least` are left out.

with

hour as (
    select *
    from hourly_costs
    where charge_hour >= $from and charge_hour < $to
),

final as (
    select
        charge_hour,
        project,
        service_name,
        billing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost
    from hour
    group by all
    having abs(sum(effective_cost)) >= $least::decimal(38, 18)
    order by charge_hour, billing_currency, effective_cost desc, project, service_name
)

select * from final
