"""The calls that list resources: one entry per type of resource.

Put here: what is called for each type, and which of its properties are kept. Keep out: the classes
(inventory_call.py), making the calls (inventory_api.py). A property belongs here if a rule or a
mart reads it.

Source: the API references of the services. A new entry also needs a test with an answer
(tests/test_inventory_calls.py).
"""

from __future__ import annotations

from finops_pipeline.sources.inventory_call import FollowUp, InventoryCall

_EC2 = "arn:{partition}:ec2:{region}:{account}:"

_COMPUTE = (
    InventoryCall(
        "AWS::EC2::Instance", "ec2", "describe_instances", "ec2:DescribeInstances", "AmazonEC2",
        items="Reservations[].Instances[]",
        id="InstanceId", arn=_EC2 + "instance/{id}", state="State.Name", created="LaunchTime",
        attributes="{instance_type: InstanceType, platform: PlatformDetails, image_id: ImageId,"
        " architecture: Architecture, lifecycle: InstanceLifecycle, vpc_id: VpcId,"
        " state_reason: StateTransitionReason, volumes: BlockDeviceMappings[].Ebs.VolumeId}",
    ),
    InventoryCall(
        "AWS::EC2::Volume", "ec2", "describe_volumes", "ec2:DescribeVolumes", "AmazonEC2",
        items="Volumes", id="VolumeId", arn=_EC2 + "volume/{id}", created="CreateTime",
        attributes="{attachments: Attachments[].InstanceId, size_gib: Size,"
        " volume_type: VolumeType, iops: Iops, throughput_mibps: Throughput,"
        " encrypted: Encrypted, snapshot_id: SnapshotId}",
    ),
    InventoryCall(
        "AWS::EC2::Snapshot", "ec2", "describe_snapshots", "ec2:DescribeSnapshots", "AmazonEC2",
        items="Snapshots", parameters={"OwnerIds": ["self"]},
        id="SnapshotId", arn=_EC2 + "snapshot/{id}", created="StartTime",
        attributes="{volume_id: VolumeId, size_gib: VolumeSize, storage_tier: StorageTier,"
        " description: Description}",
    ),
    InventoryCall(
        "AWS::EC2::Image", "ec2", "describe_images", "ec2:DescribeImages", "AmazonEC2",
        items="Images", parameters={"Owners": ["self"]},
        id="ImageId", arn=_EC2 + "image/{id}", name="Name", created="CreationDate",
        attributes="{snapshots: BlockDeviceMappings[].Ebs.SnapshotId, public: Public,"
        " last_launched_at: LastLaunchedTime}",
    ),
    InventoryCall(
        "AWS::EC2::EIP", "ec2", "describe_addresses", "ec2:DescribeAddresses", "AmazonEC2",
        items="Addresses", id="AllocationId || PublicIp",
        arn=_EC2 + "elastic-ip/{id}", state="`null`",
        attributes="{public_ip: PublicIp, association_id: AssociationId,"
        " instance_id: InstanceId, network_interface_id: NetworkInterfaceId}",
    ),
    InventoryCall(
        "AWS::EC2::NatGateway", "ec2", "describe_nat_gateways", "ec2:DescribeNatGateways",
        "AmazonEC2",
        items="NatGateways", id="NatGatewayId", arn=_EC2 + "natgateway/{id}", created="CreateTime",
        attributes="{vpc_id: VpcId, subnet_id: SubnetId, connectivity: ConnectivityType}",
    ),
    InventoryCall(
        "AWS::EC2::VPCEndpoint", "ec2", "describe_vpc_endpoints", "ec2:DescribeVpcEndpoints",
        "AmazonVPC",
        items="VpcEndpoints", id="VpcEndpointId", arn=_EC2 + "vpc-endpoint/{id}",
        created="CreationTimestamp",
        attributes="{endpoint_type: VpcEndpointType, service_name: ServiceName, vpc_id: VpcId,"
        " subnets: SubnetIds}",
    ),
    InventoryCall(
        "AWS::Lambda::Function", "lambda", "list_functions", "lambda:ListFunctions", "AWSLambda",
        items="Functions", id="FunctionName", arn="FunctionArn", name="FunctionName",
        created="`null`", tags="`null`",
        attributes="{memory_mib: MemorySize, runtime: Runtime, architectures: Architectures,"
        " timeout_seconds: Timeout, code_bytes: CodeSize, last_modified_at: LastModified}",
    ),
    InventoryCall(
        "AWS::EKS::Cluster", "eks", "list_clusters", "eks:ListClusters", "AmazonEKS",
        items="clusters[].{name: @}",
        follow_ups=(
            FollowUp("describe_cluster", {"name": "name"}, "eks:DescribeCluster", "cluster"),
        ),
        id="name", arn="arn", name="name", state="status", created="createdAt", tags="tags",
        attributes="{version: version, platform_version: platformVersion,"
        " support_type: upgradePolicy.supportType}",
    ),
    InventoryCall(
        "AWS::ECS::Cluster", "ecs", "list_clusters", "ecs:ListClusters", "AmazonECS",
        items="clusterArns[].{arn: @}",
        follow_ups=(
            FollowUp("describe_clusters", {"clusters": "arn"}, "ecs:DescribeClusters",
                     "clusters[0]", is_in_list=True),
        ),
        id="clusterName", arn="clusterArn", name="clusterName", state="status",
        tags="tags[].{Key: key, Value: value}",
        attributes="{running_tasks: runningTasksCount, services: activeServicesCount,"
        " container_instances: registeredContainerInstancesCount}",
    ),
)  # fmt: skip

_BALANCERS = (
    InventoryCall(
        "AWS::ElasticLoadBalancingV2::LoadBalancer", "elbv2", "describe_load_balancers",
        "elasticloadbalancing:DescribeLoadBalancers", "AWSELB",
        items="LoadBalancers", id="LoadBalancerArn", arn="LoadBalancerArn", name="LoadBalancerName",
        state="State.Code", created="CreatedTime", tags="`null`",
        attributes="{balancer_type: Type, scheme: Scheme, vpc_id: VpcId}",
    ),
    InventoryCall(
        "AWS::ElasticLoadBalancingV2::TargetGroup", "elbv2", "describe_target_groups",
        "elasticloadbalancing:DescribeTargetGroups", "AWSELB",
        items="TargetGroups",
        follow_ups=(
            FollowUp(
                "describe_target_health", {"TargetGroupArn": "TargetGroupArn"},
                "elasticloadbalancing:DescribeTargetHealth", "TargetHealthDescriptions",
                key="targets", tells=("targets",),
            ),
        ),
        id="TargetGroupArn", arn="TargetGroupArn", name="TargetGroupName", state="`null`",
        tags="`null`",
        attributes="{load_balancers: LoadBalancerArns, target_type: TargetType,"
        " targets: targets[].{id: Target.Id, state: TargetHealth.State}}",
    ),
)  # fmt: skip

_DATABASES = (
    InventoryCall(
        "AWS::RDS::DBInstance", "rds", "describe_db_instances", "rds:DescribeDBInstances",
        "AmazonRDS",
        items="DBInstances", id="DBInstanceIdentifier", arn="DBInstanceArn",
        name="DBInstanceIdentifier", state="DBInstanceStatus", created="InstanceCreateTime",
        tags="TagList",
        attributes="{instance_class: DBInstanceClass, engine: Engine, version: EngineVersion,"
        " multi_az: MultiAZ, storage_gib: AllocatedStorage, storage_type: StorageType,"
        " iops: Iops, cluster_id: DBClusterIdentifier, license: LicenseModel,"
        " replica_of: ReadReplicaSourceDBInstanceIdentifier}",
    ),
    InventoryCall(
        "AWS::RDS::DBCluster", "rds", "describe_db_clusters", "rds:DescribeDBClusters",
        "AmazonRDS",
        items="DBClusters", id="DBClusterIdentifier", arn="DBClusterArn",
        name="DBClusterIdentifier", state="Status", created="ClusterCreateTime", tags="TagList",
        attributes="{engine: Engine, version: EngineVersion, engine_mode: EngineMode,"
        " storage_type: StorageType, resource_handle: DbClusterResourceId,"
        " members: DBClusterMembers[].DBInstanceIdentifier}",
    ),
    InventoryCall(
        "AWS::RDS::DBSnapshot", "rds", "describe_db_snapshots", "rds:DescribeDBSnapshots",
        "AmazonRDS",
        items="DBSnapshots", id="DBSnapshotIdentifier", arn="DBSnapshotArn",
        name="DBSnapshotIdentifier", state="Status", created="SnapshotCreateTime", tags="TagList",
        attributes="{instance_id: DBInstanceIdentifier, snapshot_type: SnapshotType,"
        " size_gib: AllocatedStorage, engine: Engine}",
    ),
    InventoryCall(
        "AWS::ElastiCache::CacheCluster", "elasticache", "describe_cache_clusters",
        "elasticache:DescribeCacheClusters", "AmazonElastiCache",
        items="CacheClusters", id="CacheClusterId", arn="ARN", name="CacheClusterId",
        state="CacheClusterStatus", created="CacheClusterCreateTime", tags="`null`",
        attributes="{node_type: CacheNodeType, engine: Engine, version: EngineVersion,"
        " nodes: NumCacheNodes, replication_group_id: ReplicationGroupId}",
    ),
    InventoryCall(
        "AWS::OpenSearchService::Domain", "opensearch", "list_domain_names",
        "es:ListDomainNames", "AmazonES",
        items="DomainNames",
        follow_ups=(
            FollowUp("describe_domain", {"DomainName": "DomainName"}, "es:DescribeDomain",
                     "DomainStatus"),
        ),
        id="DomainName", arn="ARN", name="DomainName", state="DomainProcessingStatus",
        tags="`null`",
        attributes="{version: EngineVersion, instance_type: ClusterConfig.InstanceType,"
        " instances: ClusterConfig.InstanceCount, volume_type: EBSOptions.VolumeType,"
        " volume_gib: EBSOptions.VolumeSize}",
    ),
    InventoryCall(
        "AWS::Redshift::Cluster", "redshift", "describe_clusters", "redshift:DescribeClusters",
        "AmazonRedshift",
        items="Clusters", id="ClusterIdentifier",
        arn="arn:{partition}:redshift:{region}:{account}:cluster:{id}", name="ClusterIdentifier",
        state="ClusterStatus", created="ClusterCreateTime",
        attributes="{node_type: NodeType, nodes: NumberOfNodes}",
    ),
    InventoryCall(
        "AWS::DynamoDB::Table", "dynamodb", "list_tables", "dynamodb:ListTables",
        "AmazonDynamoDB",
        items="TableNames[].{TableName: @}",
        follow_ups=(
            FollowUp("describe_table", {"TableName": "TableName"}, "dynamodb:DescribeTable",
                     "Table"),
        ),
        id="TableName", arn="TableArn", name="TableName", state="TableStatus",
        created="CreationDateTime", tags="`null`",
        attributes="{billing_mode: BillingModeSummary.BillingMode || 'PROVISIONED',"
        " read_units: ProvisionedThroughput.ReadCapacityUnits,"
        " write_units: ProvisionedThroughput.WriteCapacityUnits,"
        " table_class: TableClassSummary.TableClass || 'STANDARD', size_bytes: TableSizeBytes,"
        " items: ItemCount}",
    ),
)  # fmt: skip

_STORES = (
    InventoryCall(
        "AWS::S3::Bucket", "s3", "list_buckets", "s3:ListAllMyBuckets", "AmazonS3",
        items="Buckets",
        follow_ups=(
            FollowUp(
                "get_bucket_lifecycle_configuration", {"Bucket": "Name"},
                "s3:GetLifecycleConfiguration", "Rules", key="rules",
                absent=("NoSuchLifecycleConfiguration",), tells=("lifecycle_rules",),
            ),
            FollowUp(
                "get_bucket_tagging", {"Bucket": "Name"}, "s3:GetBucketTagging", "TagSet",
                key="Tags", absent=("NoSuchTagSet",),
            ),
        ),
        id="Name", arn="arn:{partition}:s3:::{id}", name="Name", state="`null`",
        created="CreationDate", is_global=True,
        attributes="{region: BucketRegion, lifecycle_rules: rules[].{id: ID, status: Status,"
        " expires: Expiration, transitions: Transitions,"
        " noncurrent: NoncurrentVersionExpiration,"
        " aborts_uploads_after_days: AbortIncompleteMultipartUpload.DaysAfterInitiation}}",
    ),
    InventoryCall(
        "AWS::Logs::LogGroup", "logs", "describe_log_groups", "logs:DescribeLogGroups",
        "AmazonCloudWatch",
        items="logGroups", id="logGroupName",
        arn="arn:{partition}:logs:{region}:{account}:log-group:{id}",
        name="logGroupName", state="`null`", created="creationTime", tags="`null`",
        attributes="{retention_days: retentionInDays, stored_bytes: storedBytes,"
        " log_class: logGroupClass}",
    ),
    InventoryCall(
        "AWS::Organizations::Account", "organizations", "list_accounts",
        "organizations:ListAccounts", "AWSOrganizations",
        items="Accounts", id="Id", arn="Arn", name="Name", state="Status",
        created="JoinedTimestamp", tags="`null`", is_global=True,
        absent=("AWSOrganizationsNotInUseException",),
        attributes="{joined_by: JoinedMethod}",
    ),
)  # fmt: skip

CALLS = (*_COMPUTE, *_BALANCERS, *_DATABASES, *_STORES)

TAGGING_ACTION = "tag:GetResources"
"""Resource Groups Tagging: tags by ARN, for types whose own call does not tell them."""

REGIONS_ACTION = "ec2:DescribeRegions"
REGION_TYPE = "AWS::EC2::Region"
"""Stands in the coverage for the list of regions itself."""
