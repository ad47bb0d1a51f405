-- inventory_gaps: what no inventory has listed since the 30 days of the bill began, and the cure.
-- grain: source, sub_account_id, region_id, service_code, resource_type
-- money: none
-- reads: recent_usage, inventory_coverage
--
-- Each place in which the bill has usage of a service needs the types of resources that belong to
-- it. A place and type that was listed has no row.

with

-- types that rules read, and the permissions to list and describe them
needed as (
    select *
    from (
        values
            ('AmazonEC2', 'AWS::EC2::Instance', 'ec2:DescribeInstances'),
            ('AmazonEC2', 'AWS::EC2::Volume', 'ec2:DescribeVolumes'),
            ('AmazonEC2', 'AWS::EC2::Snapshot', 'ec2:DescribeSnapshots'),
            ('AmazonEC2', 'AWS::EC2::Image', 'ec2:DescribeImages'),
            ('AmazonEC2', 'AWS::EC2::EIP', 'ec2:DescribeAddresses'),
            ('AmazonEC2', 'AWS::EC2::NatGateway', 'ec2:DescribeNatGateways'),
            ('AmazonVPC', 'AWS::EC2::EIP', 'ec2:DescribeAddresses'),
            ('AmazonVPC', 'AWS::EC2::VPCEndpoint', 'ec2:DescribeVpcEndpoints'),
            (
                'AWSELB', 'AWS::ElasticLoadBalancingV2::LoadBalancer',
                'elasticloadbalancing:DescribeLoadBalancers'
            ),
            (
                'AWSELB', 'AWS::ElasticLoadBalancingV2::TargetGroup',
                'elasticloadbalancing:DescribeTargetGroups,'
                || ' elasticloadbalancing:DescribeTargetHealth'
            ),
            ('AmazonRDS', 'AWS::RDS::DBInstance', 'rds:DescribeDBInstances'),
            ('AmazonRDS', 'AWS::RDS::DBSnapshot', 'rds:DescribeDBSnapshots'),
            (
                'AmazonElastiCache', 'AWS::ElastiCache::CacheCluster',
                'elasticache:DescribeCacheClusters'
            ),
            ('AmazonRedshift', 'AWS::Redshift::Cluster', 'redshift:DescribeClusters'),
            (
                'AmazonDynamoDB', 'AWS::DynamoDB::Table',
                'dynamodb:ListTables, dynamodb:DescribeTable'
            ),
            ('AWSLambda', 'AWS::Lambda::Function', 'lambda:ListFunctions'),
            (
                'AmazonS3', 'AWS::S3::Bucket',
                's3:ListAllMyBuckets, s3:GetLifecycleConfiguration, s3:GetBucketTagging'
            ),
            ('AmazonCloudWatch', 'AWS::Logs::LogGroup', 'logs:DescribeLogGroups')
    ) as needed (service_code, resource_type, actions)
),

used as (
    select source, sub_account_id, region_id, service_code, max(window_start) as window_start
    from recent_usage
    where presence = 'present'
    group by all
),

-- of several inventories of a place, one that lists it is enough
covered as (
    select
        account_id,
        region_id,
        resource_type,
        max(as_of) as asked_on,
        max(as_of) filter (state = 'collected') as listed_on,
        arg_max(permission, as_of) as permission,
        arg_max(reason, as_of) as reason
    from inventory_coverage
    group by all
),

final as (
    select
        used.source,
        used.sub_account_id,
        used.region_id,
        used.service_code,
        needed.resource_type,
        concat_ws(
            ' ',
            case
                when covered.listed_on is not null
                then 'The newest inventory of ' || needed.resource_type || ' is of '
                    || covered.listed_on || '.'
                else 'No inventory lists ' || needed.resource_type || ' here.'
            end,
            case when covered.listed_on is null then covered.reason end
        ) as reason,
        case
            when covered.permission is not null then 'Allow ' || covered.permission || '.'
            when covered.asked_on is not null
            then 'Ask for a newer inventory: ' || needed.actions || '.'
            else 'Add an inventory of this account and region: ' || needed.actions || '.'
        end as cure
    from used
    inner join needed on needed.service_code = used.service_code
    left join covered
        on covered.account_id = used.sub_account_id
        and covered.region_id
        = case needed.resource_type when 'AWS::S3::Bucket' then 'global' else used.region_id end
        and covered.resource_type = needed.resource_type
    where coalesce(covered.listed_on < used.window_start, true)
)

select * from final
