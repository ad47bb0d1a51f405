-- data_transfer_is_usage: projects and months in which the mart counts a charge twice, or lacks a
--   charge of AWS Data Transfer.
-- reads: data_transfer, resource_daily_costs
-- rows only from: data_transfer; resource_daily_costs where service_code = 'AWSDataTransfer'
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        source,
        service_code,
        usage_type,
        billing_currency,
        sum(charges) as charges
    from resource_daily_costs
    where charge_category = 'Usage'
        and charge_class is null
        and row_kind = 'line'
        and commitment_discount_status is distinct from 'Unused'
    group by all
),

summed as (
    select
        project,
        billing_period,
        source,
        service_code,
        usage_type,
        billing_currency,
        sum(charges) as charges
    from data_transfer
    group by all
),

final as (
    select
        charged.project,
        charged.billing_period,
        charged.source,
        charged.service_code,
        charged.usage_type,
        charged.charges as charges_of_charges,
        summed.charges as charges_of_mart
    from charged
    left join summed
        on summed.project = charged.project
        and summed.billing_period = charged.billing_period
        and summed.source = charged.source
        and summed.service_code is not distinct from charged.service_code
        and summed.usage_type is not distinct from charged.usage_type
        and summed.billing_currency = charged.billing_currency
    where summed.charges > charged.charges
        or charged.service_code = 'AWSDataTransfer'
        and summed.charges is distinct from charged.charges
        and not contains(coalesce(charged.usage_type, ''), 'ByteHrs')
)

select * from final
