-- volume_of_stopped_instance: A volume whose instances have been stopped for 30 days.
-- rule: C03
-- version: 2
-- tier: C
-- reads: inventory_gaps, listed_resources, recent_usage
-- window: the newest inventory, 30 complete days of the bill
-- meters: AmazonEC2/EBS:Volume.*
-- part: all
-- normalised by: days
-- disproved by: An instance that is started less often than once a month.
-- price source: the resource's own cost
-- effort: medium
-- risk: medium
--
-- The inventory says that each of its instances is stopped, and the bill has no hour of them in
-- the 30 days. C01 is about volumes without an instance. A snapshot costs a part of the saving.

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
        and service_code = 'AmazonEC2'
        and meter like 'EBS:Volume%'
    group by all
),

gaps as (
    select
        source,
        sub_account_id,
        region_id,
        service_code,
        string_agg(reason, ' ' order by resource_type) as reason,
        string_agg(cure, ' ' order by resource_type) as cure
    from inventory_gaps
    where resource_type in ('AWS::EC2::Volume', 'AWS::EC2::Instance')
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
                gaps.cure, 'Ask for a newer inventory: ec2:DescribeVolumes.'
            )
        end as missing_cure
    from used
    left join gaps
        on gaps.source = used.source
        and gaps.sub_account_id is not distinct from used.sub_account_id
        and gaps.region_id is not distinct from used.region_id
        and gaps.service_code = used.service_code
    left join listed_resources as resource
        on resource.project = used.project
        and resource.account_id = used.sub_account_id
        and coalesce(resource.region_id = used.region_id, true)
        and resource.resource_type = 'AWS::EC2::Volume'
        and resource.billed_resource_id = used.resource_id
    where missing is not null or resource.is_there
),

attached as (
    select
        listed.source,
        listed.sub_account_id,
        listed.region_id,
        listed.short_id,
        unnest(from_json(listed.attributes -> '$.attachments', '["varchar"]')) as instance_id
    from listed
    where json_array_length(listed.attributes, '$.attachments') > 0
),

running as (
    select distinct source, sub_account_id, region_id, resource_id
    from recent_usage
    where service_code = 'AmazonEC2'
        and regexp_matches(meter, '^(BoxUsage|SpotUsage|DedicatedUsage|HostBoxUsage)')
),

hosts as (
    select
        attached.source,
        attached.sub_account_id,
        attached.region_id,
        attached.short_id,
        count(distinct attached.instance_id) as attached,
        count(distinct resource.resource_id) filter (resource.state is not null) as known,
        count(distinct resource.resource_id) filter (
            resource.state = 'stopped' and running.resource_id is null
        ) as stopped,
        string_agg(distinct attached.instance_id, ', ' order by attached.instance_id) as instances
    from attached
    left join listed_resources as resource
        on resource.resource_type = 'AWS::EC2::Instance'
        and resource.account_id = attached.sub_account_id
        and resource.region_id = attached.region_id
        and resource.resource_id = attached.instance_id
        and resource.is_there
    left join running
        on running.source = attached.source
        and running.sub_account_id = attached.sub_account_id
        and running.region_id = attached.region_id
        and running.resource_id = attached.instance_id
    group by all
),

hosted as (
    select listed.*, hosts.attached, hosts.known, hosts.stopped, hosts.instances
    from listed
    left join hosts
        on hosts.source = listed.source
        and hosts.sub_account_id = listed.sub_account_id
        and hosts.region_id = listed.region_id
        and hosts.short_id = listed.short_id
),

judged as (
    select
        *,
        is_unlisted as is_about_all,
        case
            when missing is not null then missing
            when json_type(attributes, '$.attachments') is distinct from 'ARRAY'
            then 'The inventory does not state its attachments.'
            when coalesce(attached > known, false)
            then 'The inventory does not state the state of its instance.'
        end as reason,
        case
            when missing is not null then missing_cure
            when json_type(attributes, '$.attachments') is distinct from 'ARRAY'
            then 'Allow ' || coalesce(permission, 'ec2:DescribeVolumes') || '.'
            when coalesce(attached > known, false)
            then 'Ask for a newer inventory: ec2:DescribeInstances.'
        end as cure
    from hosted
),

finding as (
    select
        *,
        case when reason is null then cost end::decimal(38, 18) as saving,
        case
            when not is_about_all
            then to_json(
                {
                    'instances': instances::varchar,
                    'stopped_instances': stopped::varchar
                }
            )::varchar
        end as evidence
    from judged
    where cost > 0
        and (
            reason is not null
            or stopped = attached
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
    'medium' as confidence,
    coalesce(any_value(evidence), to_json({'resources': count(*)::varchar})::varchar) as evidence
from finding
group by all
