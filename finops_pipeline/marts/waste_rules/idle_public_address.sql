-- idle_public_address: A public IPv4 address that is not in use.
-- rule: A05
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: (AmazonVPC|AmazonEC2)/(PublicIPv4:IdleAddress|ElasticIP:IdleAddress)
-- part: all
-- normalised by: days
-- disproved by: An association of the address since the newest bill, or a partner who allows
--   only this address.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- AWS itself meters the address as idle: this needs no threshold besides the age.

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
        coalesce(sum(consumed_quantity) filter (true), 0) as hours
    from recent_usage
    where presence = 'present'
        and service_code in ('AmazonVPC', 'AmazonEC2') and meter in ('PublicIPv4:IdleAddress', 'ElasticIP:IdleAddress')
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
    to_json({'hours': hours::varchar})::varchar as evidence
from resource
where gap is not null or (cost > 0)
