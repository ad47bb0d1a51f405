-- data_status: the states of the months of the sources that have charges of some projects.
-- grain: source, billing_period, billing_currency
-- money: none; the amounts are those of the whole tenant
-- reads: data_status, partitions, projects
-- parameters: projects
--
-- The amounts, the numbers of rows and the texts are left out: they are about all projects.

with

charged as (
    select distinct source, billing_currency
    from partitions
    where list_contains($projects::varchar[], project)
),

declared as (
    select distinct unnest(string_split(sources, ', ')) as source
    from projects
    where list_contains($projects::varchar[], project)
),

visible as (
    select
        *,
        case when (source, billing_currency) in (from charged) then billing_currency end
            as own_currency
    from data_status
    where source in (select source from declared union all select source from charged)
),

final as (
    select distinct
        source,
        billing_period,
        own_currency as billing_currency,
        state,
        null::varchar as reason,
        delivery_id,
        execution_id,
        landed_at,
        null::bigint as rows_read,
        null::bigint as rows_kept,
        null::bigint as rows_quarantined,
        null::bigint as values_rounded,
        null::bigint as values_unreadable,
        null::bigint as account_ids_restored,
        null::bigint as unknown_line_items,
        null::decimal(38, 18) as source_cost,
        null::decimal(38, 18) as billed_cost,
        null::decimal(38, 18) as effective_cost,
        null::varchar as drift
    from visible
    where billing_currency is null
        or own_currency is not null
        or source not in (select source from charged)
)

select * from final
