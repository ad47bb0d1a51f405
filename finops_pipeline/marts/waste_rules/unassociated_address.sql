-- unassociated_address: An Elastic IP address that belongs to no instance and no network
--   interface.
-- rule: C02
-- version: 1
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: (AmazonVPC|AmazonEC2)/(PublicIPv4:|ElasticIP:).*
-- part: all
-- normalised by: days
-- disproved by: A partner who allows only this address.
-- price source: the resource's own cost
-- effort: low
-- risk: medium
--
-- A05 finds it if AWS meters it as idle; the inventory also states what it is associated with
-- now.

with

used as (
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
        window_start,
        window_end,
        coalesce(sum(own_cost), 0) as cost
    from recent_usage
    where presence = 'present'
        and service_code in ('AmazonVPC', 'AmazonEC2')
        and regexp_matches(meter, '^(PublicIPv4|ElasticIP):')
        and (resource_id is null or contains(resource_id, 'eipalloc-'))
    group by all
),

listed as (
    select
        used.*,
        resource.resource_id as short_id,
        resource.attributes,
        resource.created_at,
        resource.permission,
        gaps.reason is not null and used.gap is null as is_unlisted,
        coalesce(
            used.gap,
            gaps.reason,
            case
                when resource.resource_id is null then 'The inventory does not have this resource.'
            end
        ) as missing,
        case
            when used.gap is not null then used.gap_cure
            else coalesce(
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeAddresses.'
            )
        end as missing_cure
    from used
    left join inventory_gaps as gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
        and gaps.resource_type = 'AWS::EC2::EIP'
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::EC2::EIP'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when not json_exists(attributes, '$.association_id')
            then 'The inventory does not state its association.'
        end as reason,
        case
            when missing is not null then missing_cure
            when not json_exists(attributes, '$.association_id')
            then 'Allow ' || coalesce(permission, 'ec2:DescribeAddresses') || '.'
        end as cure
    from listed
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'public_ip': (attributes ->> '$.public_ip')::varchar,
                    'association_id': (attributes ->> '$.association_id')::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or (attributes ->> '$.association_id') is null
        )
)

select
    source,
    sub_account_id,
    region_id,
    service_code,
    case when not is_about_all then resource_id end as resource_id,
    project,
    billing_currency,
    case when reason is null then 'found' else 'unknown' end as state,
    reason,
    cure,
    sum(cost) as cost,
    sum(saving) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'high' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
