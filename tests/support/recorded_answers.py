"""Answers of AWS's describe calls, written from the examples in its documentation.

Put here: for each type of the table of inventories one answer, and what it has to become. Keep out:
the comparison (test_inventory_calls.py). Only fields that are read are kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_ACCOUNT, _REGION, _ELB = "111122223333", "eu-central-1", "elasticloadbalancing"
TAGS = [{"Key": "Name", "Value": "it"}, {"Key": "Team", "Value": "a" * 256}]


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{_REGION}:{_ACCOUNT}:{resource}"


Recorded = tuple[dict[str, Any], dict[str, Any]]

_COMPUTE: dict[str, Recorded] = {
    "AWS::EC2::Instance": (
        {"listed": {"Reservations": [{"Instances": [{
            "InstanceId": "i-0abc", "InstanceType": "m5.large", "LaunchTime": AT, "Tags": TAGS,
            "State": {"Name": "stopped"}, "PlatformDetails": "Linux/UNIX",
            "BlockDeviceMappings": [{"Ebs": {"VolumeId": "vol-1"}}],
        }]}]}},
        {"resource_id": "i-0abc", "state": "stopped", "resource_name": "it", "created_at": AT,
         "resource_arn": _arn("ec2", "instance/i-0abc"), "volumes": ["vol-1"]},
    ),
    "AWS::EC2::Volume": (
        {"listed": {"Volumes": [{
            "VolumeId": "vol-1", "State": "available", "Size": 100, "VolumeType": "gp2",
            "Attachments": [], "CreateTime": AT, "Tags": TAGS,
        }]}},
        {"attachments": [], "size_gib": 100, "volume_type": "gp2", "state": "available"},
    ),
    "AWS::EC2::Snapshot": (
        {"listed": {"Snapshots": [{
            "SnapshotId": "snap-1", "VolumeId": "vol-1", "VolumeSize": 8, "StartTime": AT,
            "State": "completed", "StorageTier": "standard",
        }]}},
        {"resource_id": "snap-1", "volume_id": "vol-1", "storage_tier": "standard"},
    ),
    "AWS::EC2::Image": (
        {"listed": {"Images": [{
            "ImageId": "ami-1", "Name": "base", "CreationDate": "2026-01-02T03:04:05.000Z",
            "State": "available", "BlockDeviceMappings": [{"Ebs": {"SnapshotId": "snap-1"}}],
        }]}},
        {"resource_name": "base", "snapshots": ["snap-1"], "created_at": AT},
    ),
    "AWS::EC2::EIP": (
        {"listed": {"Addresses": [{"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1"}]}},
        {"resource_id": "eipalloc-1", "association_id": None, "public_ip": "198.51.100.1"},
    ),
    "AWS::EC2::NatGateway": (
        {"listed": {"NatGateways": [{
            "NatGatewayId": "nat-1", "State": "available", "CreateTime": AT, "VpcId": "vpc-1",
        }]}},
        {"resource_arn": _arn("ec2", "natgateway/nat-1"), "vpc_id": "vpc-1"},
    ),
    "AWS::EC2::VPCEndpoint": (
        {"listed": {"VpcEndpoints": [{
            "VpcEndpointId": "vpce-1", "VpcEndpointType": "Interface", "State": "available",
            "CreationTimestamp": AT, "ServiceName": "com.amazonaws.eu-central-1.ssm",
        }]}},
        {"endpoint_type": "Interface", "created_at": AT},
    ),
    "AWS::Lambda::Function": (
        {"listed": {"Functions": [{
            "FunctionName": "f", "FunctionArn": _arn("lambda", "function:f"), "MemorySize": 128,
            "Runtime": "python3.12", "Architectures": ["arm64"],
        }]}},
        {"resource_id": "f", "memory_mib": 128, "architectures": ["arm64"]},
    ),
    "AWS::EKS::Cluster": (
        {"listed": {"clusters": ["k"]}, "followed": [{"cluster": {
            "name": "k", "arn": _arn("eks", "cluster/k"), "status": "ACTIVE", "version": "1.29",
            "createdAt": AT, "tags": {"Team": "x"},
            "upgradePolicy": {"supportType": "EXTENDED"},
        }}]},
        {"resource_id": "k", "version": "1.29", "support_type": "EXTENDED",
         "tags": {"Team": "x"}},
    ),
    "AWS::ECS::Cluster": (
        {"listed": {"clusterArns": [_arn("ecs", "cluster/c")]}, "followed": [{"clusters": [{
            "clusterName": "c", "clusterArn": _arn("ecs", "cluster/c"), "status": "ACTIVE",
            "runningTasksCount": 0, "tags": [{"key": "Team", "value": "x"}],
        }]}]},
        {"resource_id": "c", "running_tasks": 0, "tags": {"Team": "x"}},
    ),
}  # fmt: skip

_BALANCERS: dict[str, Recorded] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        {"listed": {"LoadBalancers": [{
            "LoadBalancerArn": _arn(_ELB, "loadbalancer/app/web/50dc6c495c0c9188"),
            "LoadBalancerName": "web", "Type": "application", "CreatedTime": AT,
            "State": {"Code": "active"},
        }]}},
        {"resource_id": "app/web/50dc6c495c0c9188", "state": "active",
         "balancer_type": "application"},
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        {"listed": {"TargetGroups": [{
            "TargetGroupArn": _arn(_ELB, "targetgroup/t/73e2d6bc24d8a067"),
            "TargetGroupName": "t", "LoadBalancerArns": [], "TargetType": "instance",
        }]}, "followed": [{"TargetHealthDescriptions": [
            {"Target": {"Id": "i-1", "Port": 80}, "TargetHealth": {"State": "healthy"}},
        ]}]},
        {"resource_id": "targetgroup/t/73e2d6bc24d8a067",
         "targets": [{"id": "i-1", "state": "healthy"}]},
    ),
}  # fmt: skip

_DATABASES: dict[str, Recorded] = {
    "AWS::RDS::DBInstance": (
        {"listed": {"DBInstances": [{
            "DBInstanceIdentifier": "db", "DBInstanceArn": _arn("rds", "db:db"), "TagList": TAGS,
            "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "DBInstanceStatus": "available",
            "InstanceCreateTime": AT, "MultiAZ": False,
        }]}},
        {"resource_id": "db", "instance_class": "db.t3.micro", "multi_az": False},
    ),
    "AWS::RDS::DBCluster": (
        {"listed": {"DBClusters": [{
            "DBClusterIdentifier": "cl", "DBClusterArn": _arn("rds", "cluster:cl"),
            "Engine": "aurora-mysql", "Status": "available", "ClusterCreateTime": AT,
            "DBClusterMembers": [{"DBInstanceIdentifier": "db"}],
        }]}},
        {"members": ["db"], "engine": "aurora-mysql"},
    ),
    "AWS::RDS::DBSnapshot": (
        {"listed": {"DBSnapshots": [{
            "DBSnapshotIdentifier": "s", "DBSnapshotArn": _arn("rds", "snapshot:s"),
            "DBInstanceIdentifier": "gone", "SnapshotType": "manual", "SnapshotCreateTime": AT,
            "Status": "available", "AllocatedStorage": 20,
        }]}},
        {"instance_id": "gone", "snapshot_type": "manual", "size_gib": 20},
    ),
    "AWS::ElastiCache::CacheCluster": (
        {"listed": {"CacheClusters": [{
            "CacheClusterId": "r", "ARN": _arn("elasticache", "cluster:r"), "Engine": "redis",
            "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1,
            "CacheClusterStatus": "available", "CacheClusterCreateTime": AT,
        }]}},
        {"node_type": "cache.t3.micro", "nodes": 1},
    ),
    "AWS::OpenSearchService::Domain": (
        {"listed": {"DomainNames": [{"DomainName": "logs"}]}, "followed": [{"DomainStatus": {
            "DomainName": "logs", "ARN": _arn("es", "domain/logs"),
            "EngineVersion": "OpenSearch_2.11", "ClusterConfig": {"InstanceType": "m6g.large"},
        }}]},
        {"resource_id": "logs", "instance_type": "m6g.large"},
    ),
    "AWS::Redshift::Cluster": (
        {"listed": {"Clusters": [{
            "ClusterIdentifier": "wh", "NodeType": "ra3.xlplus", "NumberOfNodes": 2,
            "ClusterStatus": "available", "ClusterCreateTime": AT,
        }]}},
        {"resource_arn": _arn("redshift", "cluster:wh"), "nodes": 2},
    ),
    "AWS::DynamoDB::Table": (
        {"listed": {"TableNames": ["orders"]}, "followed": [{"Table": {
            "TableName": "orders", "TableArn": _arn("dynamodb", "table/orders"),
            "TableStatus": "ACTIVE", "CreationDateTime": AT, "TableSizeBytes": 5,
        }}]},
        {"resource_id": "orders", "billing_mode": "PROVISIONED", "size_bytes": 5},
    ),
}  # fmt: skip

_STORES: dict[str, Recorded] = {
    "AWS::S3::Bucket": (
        {"listed": {"Buckets": [{"Name": "b", "CreationDate": AT, "BucketRegion": _REGION}]},
         "followed": [
             {"Rules": [{"ID": "old", "Status": "Enabled",
                         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]},
             {"TagSet": TAGS},
         ]},
        {"resource_arn": "arn:aws:s3:::b", "region": _REGION, "region_id": "global"},
    ),
    "AWS::Logs::LogGroup": (
        {"listed": {"logGroups": [{
            "logGroupName": "/app", "creationTime": 1767323045000, "storedBytes": 9,
            "arn": _arn("logs", "log-group:/app:*"),
        }]}},
        {"resource_arn": _arn("logs", "log-group:/app"), "retention_days": None, "created_at": AT},
    ),
    "AWS::Organizations::Account": (
        {"listed": {"Accounts": [{
            "Id": "222233334444", "Name": "labs", "Status": "ACTIVE", "JoinedTimestamp": AT,
            "Arn": f"arn:aws:organizations::{_ACCOUNT}:account/o-1/222233334444",
        }]}},
        {"resource_id": "222233334444", "resource_name": "labs", "state": "ACTIVE"},
    ),
}  # fmt: skip

RECORDED = {**_COMPUTE, **_BALANCERS, **_DATABASES, **_STORES}
