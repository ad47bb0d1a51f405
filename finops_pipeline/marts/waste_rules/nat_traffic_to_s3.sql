-- nat_traffic_to_s3: A NAT gateway with much traffic in an account that uses S3 or DynamoDB.
-- rule: A07
-- version: 1
-- tier: A
-- reads: recent_usage
-- window: 30 complete days
-- meters: AmazonEC2/NatGateway-Bytes
-- part: bytes
-- normalised by: days
-- disproved by: Flow logs without traffic to S3 and DynamoDB, or a gateway endpoint in the route
--   tables.
-- price source: the resource's own cost
-- effort: low
-- risk: low
--
-- A gateway endpoint for S3 and DynamoDB costs nothing. How many of the bytes go there is not in
-- the bill: the saving is unknown, and its upper limit is the cost.

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
        coalesce(sum(consumed_quantity) filter (true), 0) as gigabytes
    from recent_usage
    where presence = 'present'
        and service_code = 'AmazonEC2' and meter = 'NatGateway-Bytes' and exists ( select 1 from recent_usage as other where other.service_code in ('AmazonS3', 'AmazonDynamoDB') and other.sub_account_id = recent_usage.sub_account_id and other.region_id = recent_usage.region_id )
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
    coalesce(gap, 'The bill does not tell how many of the bytes go to S3 and DynamoDB.') as reason,
    coalesce(gap_cure, 'VPC flow logs, or ec2:DescribeVpcEndpoints.') as cure,
    cost,
    null::decimal(38, 18) as monthly_saving,
    null::decimal(38, 18) as price,
    null as price_source,
    'low' as confidence,
    to_json({'gigabytes': gigabytes::varchar})::varchar as evidence
from resource
where gap is not null or (gigabytes > 1000)
