"""The metrics of CloudWatch that are asked for: one entry per metric of a type of resource.

Put here: names, dimensions, units and statistics, because a rule or a mart reads them. Keep out:
asking (cloudwatch_api.py), which resources there are (inventory_table.py).

Source: the CloudWatch documentation of each service. Every statistic of a metric is a metric on
AWS's bill, so an entry has only those that are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class UsageMetric:
    """A metric of a type of resource.

    `dimensions` are templates with {id}, {name} and {account}. `unit`: samples in other units are
    not asked for, so that they never mix. `id_prefix`: only of resources whose id begins with it.
    `region_of`: the attribute that says in which region a global resource has its metrics.
    """

    resource_type: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistics: tuple[str, ...]
    unit: str
    id_prefix: str = ""
    region_of: str = ""

    @property
    def metric_name(self) -> str:
        """The namespace and the name, as tables have it."""
        return f"{self.namespace} {self.name}"


_GAUGE = ("average", "maximum", "sample_count")
_RIGHTSIZING = ("average", "maximum", "p95", "p99", "sample_count")
_SUM = ("total", "maximum", "sample_count")
_COUNT = ("total", "sample_count")


def _of(
    kind: tuple[str, str, Mapping[str, str]],
    metrics: Iterable[tuple[str, str, tuple[str, ...]]],
    id_prefix: str = "",
    region_of: str = "",
) -> tuple[UsageMetric, ...]:
    """Make the entries of a type: (name, unit, statistics) each."""
    resource_type, namespace, dimensions = kind
    return tuple(
        UsageMetric(
            resource_type, namespace, name, dimensions, statistics, unit, id_prefix, region_of
        )
        for name, unit, statistics in metrics
    )


_INSTANCE = {"InstanceId": "{id}"}
_EC2 = (
    *_of(
        ("AWS::EC2::Instance", "AWS/EC2", _INSTANCE),
        [
            ("CPUUtilization", "Percent", _RIGHTSIZING),
            ("NetworkIn", "Bytes", _SUM),
            ("NetworkOut", "Bytes", _SUM),
            ("DiskReadOps", "Count", _COUNT),
            ("DiskWriteOps", "Count", _COUNT),
        ],
    ),
    *_of(
        ("AWS::EC2::Instance", "CWAgent", _INSTANCE),
        [("mem_used_percent", "Percent", _RIGHTSIZING)],
    ),
    *_of(
        ("AWS::EC2::Volume", "AWS/EBS", {"VolumeId": "{id}"}),
        [
            ("VolumeReadOps", "Count", _SUM),
            ("VolumeWriteOps", "Count", _SUM),
            ("VolumeReadBytes", "Bytes", _SUM),
            ("VolumeWriteBytes", "Bytes", _SUM),
        ],
    ),
    *_of(
        ("AWS::EC2::NatGateway", "AWS/NATGateway", {"NatGatewayId": "{id}"}),
        [
            ("BytesOutToDestination", "Bytes", _COUNT),
            ("BytesInFromSource", "Bytes", _COUNT),
            ("ActiveConnectionCount", "Count", ("maximum", "sample_count")),
        ],
    ),
)
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_BALANCERS = (
    *_of(
        (_BALANCER, "AWS/ApplicationELB", {"LoadBalancer": "{id}"}),
        [("RequestCount", "Count", _COUNT), ("ProcessedBytes", "Bytes", _COUNT)],
        "app/",
    ),
    *_of(
        (_BALANCER, "AWS/NetworkELB", {"LoadBalancer": "{id}"}),
        [("NewFlowCount", "Count", _COUNT), ("ProcessedBytes", "Bytes", _COUNT)],
        "net/",
    ),
)
_DATABASES = (
    *_of(
        ("AWS::RDS::DBInstance", "AWS/RDS", {"DBInstanceIdentifier": "{id}"}),
        [
            ("CPUUtilization", "Percent", _RIGHTSIZING),
            ("DatabaseConnections", "Count", _GAUGE),
            ("FreeableMemory", "Bytes", ("average", "minimum", "sample_count")),
            ("ReadIOPS", "Count/Second", _GAUGE),
            ("WriteIOPS", "Count/Second", _GAUGE),
        ],
    ),
    *_of(
        ("AWS::DynamoDB::Table", "AWS/DynamoDB", {"TableName": "{id}"}),
        [
            ("ConsumedReadCapacityUnits", "Count", _SUM),
            ("ConsumedWriteCapacityUnits", "Count", _SUM),
        ],
    ),
    *_of(
        ("AWS::ElastiCache::CacheCluster", "AWS/ElastiCache", {"CacheClusterId": "{id}"}),
        [("CPUUtilization", "Percent", _GAUGE), ("CurrConnections", "Count", _GAUGE)],
    ),
    *_of(
        ("AWS::Redshift::Cluster", "AWS/Redshift", {"ClusterIdentifier": "{id}"}),
        [("CPUUtilization", "Percent", _GAUGE), ("DatabaseConnections", "Count", _GAUGE)],
    ),
    *_of(
        (
            "AWS::OpenSearchService::Domain",
            "AWS/ES",
            {"DomainName": "{id}", "ClientId": "{account}"},
        ),
        [("CPUUtilization", "Percent", _GAUGE), ("SearchRate", "Count", _SUM)],
    ),
)
_APPLICATIONS = (
    *_of(
        ("AWS::Lambda::Function", "AWS/Lambda", {"FunctionName": "{id}"}),
        [
            ("Invocations", "Count", _COUNT),
            ("Errors", "Count", _COUNT),
            ("Duration", "Milliseconds", ("average", "maximum", "p99", "sample_count")),
        ],
    ),
    *_of(
        ("AWS::Lambda::Function", "LambdaInsights", {"function_name": "{id}"}),
        [("used_memory_max", "Megabytes", ("maximum", "p99", "sample_count"))],
    ),
    *_of(
        ("AWS::ECS::Cluster", "AWS/ECS", {"ClusterName": "{id}"}),
        [("CPUUtilization", "Percent", _GAUGE), ("MemoryUtilization", "Percent", _GAUGE)],
    ),
    *_of(
        ("AWS::EKS::Cluster", "ContainerInsights", {"ClusterName": "{id}"}),
        [
            ("node_cpu_utilization", "Percent", _GAUGE),
            ("node_memory_utilization", "Percent", _GAUGE),
        ],
    ),
    *_of(
        ("AWS::S3::Bucket", "AWS/S3", {"BucketName": "{id}", "StorageType": "StandardStorage"}),
        [("BucketSizeBytes", "Bytes", ("average",))],
        region_of="region",
    ),
    *_of(
        ("AWS::S3::Bucket", "AWS/S3", {"BucketName": "{id}", "StorageType": "AllStorageTypes"}),
        [("NumberOfObjects", "Count", ("average",))],
        region_of="region",
    ),
)

METRICS = (*_EC2, *_BALANCERS, *_DATABASES, *_APPLICATIONS)
