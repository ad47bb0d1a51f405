-- extended_support: A version that AWS supports only for an extra fee.
-- rule: A25
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: (AmazonRDS|AmazonEKS|AmazonElastiCache|AmazonES)/.*[eE]xtendedSupport.*
-- part: support
-- normalised by: days
-- disproved by: Nothing: the fee ends with the upgrade.
-- price source: the resource's own cost
-- effort: high
-- risk: medium
--
-- AWS meters the fee itself.

with

resource as (
    select
        source,
        sub_account_id,
        region_id,
        service_code,
        resource_id,
        project,
        billing_currency,
        gap,
        gap_cure,
        coalesce(sum(own_cost) filter (true), 0) as cost,
        coalesce(sum(consumed_quantity) filter (true), 0) as quantity
    from recent_usage
    where presence = 'present'
        and meter ilike '%ExtendedSupport%'
    group by all
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    resource_id,
    project,
    billing_currency,
    case when gap is null then 'found' else 'unknown' end as state,
    gap as reason,
    gap_cure as cure,
    cost,
    case when gap is null then cost end as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'high' as confidence,
    to_json({'quantity': quantity::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 0)
