-- unreconciled_month: the charges of a month differ from its bill, or are not complete.
-- grain: alert_key
-- money: none
-- reads: data_status
-- what to do: finops status TENANT MONTH lists every comparison; the runbook says what to do for each
--   state. Do not publish numbers of the month before. It recovers when everything agrees.

with

status as (
    select * from data_status
),

final as (
    select
        source || '/' || billing_period || '/' || coalesce(billing_currency, '-') as alert_key,
        case when state = 'differs' then 'critical' else 'warning' end as severity,
        'source ' || source as subject,
        billing_period as period,
        'The month ' || billing_period || ' of source ' || source
        || case
            when state = 'differs' then ' differs from what it was compared with'
            else ' is not complete'
        end
        || coalesce(': ' || reason, '.') as summary,
        abs(source_cost - billed_cost)::decimal(38, 18) as value,
        null::decimal(38, 18) as threshold,
        billing_currency as unit,
        'Compare it in detail, and wait with reports of the month until it agrees.' as cure
    from status
    where state in ('differs', 'incomplete')
)

select * from final
