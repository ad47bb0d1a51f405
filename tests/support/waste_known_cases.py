"""For each rule that reads inventories or statistics: a hit, near misses, and what is unknown.

Put here: the cases, by rule. Keep out: planting them (waste_evidence.py), what is expected of every
rule (test_waste_evidence.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.support.waste_evidence import ACCOUNT, REGION, Billed, Listed, Metric, World

EC2, RDS, VPC, DDB = "AmazonEC2", "AmazonRDS", "AmazonVPC", "AmazonDynamoDB"
INSTANCE, VOLUME, SNAPSHOT, IMAGE = (
    f"AWS::EC2::{name}" for name in ("Instance", "Volume", "Snapshot", "Image")
)
ENDPOINT, ADDRESS, GATEWAY = (f"AWS::EC2::{name}" for name in ("VPCEndpoint", "EIP", "NatGateway"))
BALANCER, GROUP = (
    f"AWS::ElasticLoadBalancingV2::{name}" for name in ("LoadBalancer", "TargetGroup")
)
DATABASE, DATABASE_SNAPSHOT = "AWS::RDS::DBInstance", "AWS::RDS::DBSnapshot"
FUNCTION, TABLE = "AWS::Lambda::Function", "AWS::DynamoDB::Table"
YOUNG = datetime(2026, 9, 20)


@dataclass(frozen=True)
class Case:
    """A world in which a rule finds `resource`, worlds in which it nearly does, and the cure.

    `saving`: what it saves; None: unknown. `unknown`: further worlds in which it cannot know, with
    what cures that.
    """

    resource: str
    world: World
    saving: str | None
    misses: tuple[World, ...]
    permission: str
    unknown: tuple[tuple[World, str], ...] = ()


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def known(*bill: Billed, listed: tuple[Listed, ...], **more: Any) -> World:
    """A world in which the types of all resources are listed, and more types."""
    types = dict.fromkeys([*(resource.kind for resource in listed), *more.pop("types", ())])
    return World(bill, listed, tuple(types), **more)


def change(world: World, number: int = 0, **changed: Any) -> World:
    """The same world with one resource changed."""
    resources = list(world.listed)
    resources[number] = replace(resources[number], **changed)
    return replace(world, listed=tuple(resources))


def told(world: World, number: int = 0, **attributes: Any) -> World:
    """The same world with other attributes of a resource; None: not told."""
    before = {**world.listed[number].attributes, **attributes}
    kept = {name: value for name, value in before.items() if value is not NOT_TOLD}
    return change(world, number, attributes=kept)


NOT_TOLD = object()


def measured(world: World, **changes: Mapping[str, Any]) -> World:
    """The same world with other statistics of metrics, by the last word of their name."""
    metrics = tuple(
        replace(m, **changes.get(m.name.split()[-1], {})) for m in world.listed[0].metrics
    )
    return change(world, metrics=metrics)


def gap(world: World) -> World:
    """The same world without the last metric's oldest day."""
    *others, last = world.listed[0].metrics
    return change(world, metrics=(*others, replace(last, days=13)))


def denied(world: World) -> World:
    """The same world, in which CloudWatch denied the last metric."""
    *others, last = world.listed[0].metrics
    return change(world, metrics=(*others, replace(last, days=0, state="denied")))


def gaps(world: World, cure: str) -> tuple[tuple[World, str], ...]:
    return ((gap(world), cure), (denied(world), "Allow cloudwatch:GetMetricData."))


def _idle_instance() -> Case:
    world = known(
        Billed("i-1", EC2, "BoxUsage:m5.large"),
        listed=(
            Listed(INSTANCE, "i-1", metrics=(
                Metric("AWS/EC2 CPUUtilization", {"maximum": 4.9}),
                Metric("AWS/EC2 NetworkIn", {"total": 2e6}),
                Metric("AWS/EC2 NetworkOut", {"total": 2.9e6}),
            )),
        ),
    )  # fmt: skip
    misses = (
        measured(world, CPUUtilization={"statistics": {"maximum": 5.0}}),
        measured(world, NetworkOut={"statistics": {"total": 3.1e6}}),
    )
    other = measured(world, CPUUtilization={"statistics": {"average": 1.0}})
    unknown = (*gaps(world, "GetMetricData"), (other, "GetMetricData"))
    return Case("i-1", world, "30", misses, "ec2:DescribeInstances", unknown)


def _oversized_instance() -> Case:
    world = known(
        Billed("i-1", EC2, "BoxUsage:m5.xlarge", "69.12", "720", "138.24", "RunInstances"),
        listed=(
            Listed(INSTANCE, "i-1", {"instance_type": "m5.xlarge"}, metrics=(
                Metric("AWS/EC2 CPUUtilization", {"p99": 39.0}),
                Metric("CWAgent mem_used_percent", {"p99": 39.0}),
            )),
        ),
        prices={"BoxUsage:m5.large": "0.096"},
    )  # fmt: skip
    misses = (
        measured(world, CPUUtilization={"statistics": {"p99": 40.0}}),
        measured(world, mem_used_percent={"statistics": {"p99": 40.0}}),
        told(world, instance_type="m5.large"),
    )
    agent = "CloudWatch agent"
    return Case("i-1", world, "34.56", misses, "ec2:DescribeInstances", gaps(world, agent))


def _single(
    bill: Billed, listed: Listed, miss: Mapping[str, float], permission: str, cure: str = ""
) -> Case:
    """A rule of one metric."""
    world = known(bill, listed=(listed,))
    word = listed.metrics[-1].name.split()[-1]
    misses = (measured(world, **{word: {"statistics": miss}}),)
    cures = gaps(world, cure or "GetMetricData")
    return Case(bill.resource or "", world, bill.cost, misses, permission, cures)


def _oversized_function() -> Case:
    function = arn("lambda", "function:resize")
    metric = Metric("LambdaInsights used_memory_max", {"p99": 480.0, "maximum": 500.0})
    world = known(
        Billed(function, "AWSLambda", "Lambda-GB-Second", "10"),
        listed=(Listed(FUNCTION, "resize", {"memory_mib": 1024}, function, metrics=(metric,)),),
    )
    misses = (told(world, memory_mib=960),)
    unknown = (*gaps(world, "Lambda Insights"), (told(world, memory_mib=NOT_TOLD), "ListFunctions"))
    # 640 of 1024 MB are needed: a quarter above 500 MB, in steps of 64 MB
    return Case(function, world, "3.75", misses, "lambda:ListFunctions", unknown)


def _failing_function() -> Case:
    function = arn("lambda", "function:pay")
    metrics = (Metric("AWS/Lambda Invocations", {"total": 100.0}),
               Metric("AWS/Lambda Errors", {"total": 11.0}))  # fmt: skip
    bill = Billed(function, "AWSLambda", "Lambda-GB-Second-ARM")
    listed = Listed(FUNCTION, "pay", {}, function, metrics=metrics)
    case = _single(bill, listed, {"total": 10.0}, "lambda:ListFunctions")
    return replace(case, saving=None)


def _unused_table_capacity() -> Case:
    table = arn("dynamodb", "table/orders")
    metrics = tuple(
        Metric(f"AWS/DynamoDB Consumed{kind}CapacityUnits", {"total": 0.0})
        for kind in ("Read", "Write")
    )
    world = known(
        Billed(table, DDB, "ReadCapacityUnit-Hrs", "20"),
        Billed(table, DDB, "WriteCapacityUnit-Hrs", "40"),
        listed=(Listed(TABLE, "orders", {"billing_mode": "PROVISIONED"}, table, metrics=metrics),),
    )
    misses = (
        measured(world, ConsumedWriteCapacityUnits={"statistics": {"total": 1.0}}),
        told(world, billing_mode="PAY_PER_REQUEST"),
    )
    return Case(table, world, "60", misses, "dynamodb:ListTables, dynamodb:DescribeTable",
                gaps(world, "Look at the table"))  # fmt: skip


def _balancer(name: str = "app/web/1") -> tuple[str, str]:
    return name, arn("elasticloadbalancing", f"loadbalancer/{name}")


def _unused_load_balancer() -> Case:
    name, balancer = _balancer()
    metric = Metric("AWS/ApplicationELB RequestCount", {"total": 99.0})
    return _single(
        Billed(balancer, "AWSELB", "LoadBalancerUsage"),
        Listed(BALANCER, name, {}, balancer, metrics=(metric,)),
        {"total": 100.0}, "elasticloadbalancing:DescribeLoadBalancers", "targets",
    )  # fmt: skip


def _idle_volume() -> Case:
    metrics = (Metric("AWS/EBS VolumeReadOps", {"total": 0.5}),
               Metric("AWS/EBS VolumeWriteOps", {"total": 0.4}))  # fmt: skip
    # D17: equal numbers of reads and writes are two numbers
    return _single(
        Billed("vol-1", EC2, "EBS:VolumeUsage.gp3"),
        Listed(VOLUME, "vol-1", metrics=metrics),
        {"total": 0.5}, "ec2:DescribeVolumes", "C01",
    )  # fmt: skip


def _idle_database() -> Case:
    database = arn("rds", "db:crm")
    metric = Metric("AWS/RDS DatabaseConnections", {"maximum": 0.0})
    case = _single(
        Billed(database, RDS, "InstanceUsage:db.m5.large"),
        Listed(DATABASE, "crm", {}, database, metrics=(metric,)),
        {"maximum": 1.0}, "rds:DescribeDBInstances",
    )  # fmt: skip
    undated = change(case.world, created=None)
    return replace(
        case,
        misses=(*case.misses, change(case.world, created=YOUNG)),
        unknown=(*case.unknown, (undated, "newer inventory")),
    )


def _metric_cases() -> dict[str, Case]:
    gateway = arn("ec2", "natgateway/nat-1")
    cache, cluster = arn("elasticache", "cluster:c"), arn("redshift", "cluster:w")
    return {
        "B01": _idle_instance(),
        "B02": _oversized_instance(),
        "B03": _idle_database(),
        "B04": _single(
            Billed(gateway, EC2, "NatGateway-Hours"),
            Listed(GATEWAY, "nat-1", {}, gateway,
                   metrics=(Metric("AWS/NATGateway BytesOutToDestination", {"total": 0.0}),)),
            {"total": 1.0}, "ec2:DescribeNatGateways",
        ),
        "B05": _unused_load_balancer(),
        "B06": _idle_volume(),
        "B07": _oversized_function(),
        "B08": _failing_function(),
        "B09": replace(_single(
            Billed(cache, "AmazonElastiCache", "NodeUsage:cache.m5.large"),
            Listed("AWS::ElastiCache::CacheCluster", "c", {}, cache,
                   metrics=(Metric("AWS/ElastiCache CPUUtilization", {"maximum": 19.0}),)),
            {"maximum": 20.0}, "elasticache:DescribeCacheClusters",
        ), saving=None),
        "B10": _single(
            Billed(cluster, "AmazonRedshift", "Node:ra3.xlplus"),
            Listed("AWS::Redshift::Cluster", "w", {}, cluster,
                   metrics=(Metric("AWS/Redshift DatabaseConnections", {"maximum": 0.0}),)),
            {"maximum": 1.0}, "redshift:DescribeClusters",
        ),
        "B11": _unused_table_capacity(),
    }  # fmt: skip


def _unattached_volume() -> Case:
    world = known(Billed("vol-1", EC2, "EBS:VolumeUsage.gp3"),
                  listed=(Listed(VOLUME, "vol-1", {"attachments": []}),))  # fmt: skip
    misses = (told(world, attachments=["i-1"]),)
    unknown = ((told(world, attachments=NOT_TOLD), "ec2:DescribeVolumes"),)
    return Case("vol-1", world, "30", misses, "ec2:DescribeVolumes", unknown)


def _unassociated_address() -> Case:
    address = arn("ec2", "elastic-ip/eipalloc-1")
    world = known(
        Billed(address, VPC, "PublicIPv4:IdleAddress", "3.6"),
        listed=(Listed(ADDRESS, "eipalloc-1", {"association_id": None}, address),),
    )
    misses = (told(world, association_id="eipassoc-1"),)
    unknown = ((told(world, association_id=NOT_TOLD), "ec2:DescribeAddresses"),)
    return Case(address, world, "3.6", misses, "ec2:DescribeAddresses", unknown)


def _volume_of_stopped_instance() -> Case:
    world = known(
        Billed("vol-1", EC2, "EBS:VolumeUsage.gp3"),
        listed=(Listed(VOLUME, "vol-1", {"attachments": ["i-1"]}),
                Listed(INSTANCE, "i-1", state="stopped")),
    )  # fmt: skip
    ran = replace(world, bill=(*world.bill, Billed("i-1", EC2, "BoxUsage:m5.large")))
    # D15: a volume without instance is no volume of a stopped one, and not fine either (C01)
    misses = (change(world, 1, state="running"), ran, told(world, attachments=[]))
    unlisted = replace(world, listed=world.listed[:1])
    unknown = (
        (unlisted, "ec2:DescribeInstances"),
        (told(world, attachments=NOT_TOLD), "ec2:DescribeVolumes"),
        (replace(unlisted, types=(VOLUME,)), "ec2:DescribeInstances"),
    )
    return Case("vol-1", world, "30", misses, "ec2:DescribeVolumes", unknown)


def _orphaned_snapshot() -> Case:
    snapshot = arn("ec2", "snapshot/snap-1")
    # D19: of several images, each counts
    images = tuple(Listed(IMAGE, f"ami-{n}", {"snapshots": [f"snap-{n}"]}) for n in (2, 3))
    world = known(
        Billed(snapshot, EC2, "EBS:SnapshotUsage"),
        listed=(Listed(SNAPSHOT, "snap-1", {"volume_id": "vol-1"}, snapshot), *images),
        types=(VOLUME,),
    )
    misses = (
        replace(world, listed=(*world.listed, Listed(VOLUME, "vol-1"))),
        told(world, 1, snapshots=["snap-9", "snap-1"]),
        told(world, volume_id="vol-ffffffff"),
        change(world, created=YOUNG),
    )
    unknown = (
        (replace(world, types=(SNAPSHOT, IMAGE)), "ec2:DescribeVolumes"),
        (replace(world, types=(SNAPSHOT, VOLUME)), "ec2:DescribeImages"),
        (told(world, volume_id=NOT_TOLD), "ec2:DescribeSnapshots"),
        (told(world, 2, snapshots=NOT_TOLD), "ec2:DescribeImages"),
        (change(world, created=None), "ec2:DescribeSnapshots"),
    )
    return Case(snapshot, world, "30", misses, "ec2:DescribeSnapshots", unknown)


def _endless_log_group() -> Case:
    group = arn("logs", "log-group:/app")
    world = known(
        Billed(group, "AmazonCloudWatch", "TimedStorage-ByteHrs"),
        listed=(Listed("AWS::Logs::LogGroup", "/app", {"retention_days": None}, group),),
    )
    misses = (told(world, retention_days=30),)
    unknown = ((told(world, retention_days=NOT_TOLD), "logs:DescribeLogGroups"),)
    return Case(group, world, None, misses, "logs:DescribeLogGroups", unknown)


def _bucket_without_lifecycle() -> Case:
    rules = [{"id": "old", "status": "Disabled"}]
    world = known(
        Billed("logs", "AmazonS3", "TimedStorage-ByteHrs"),
        listed=(Listed("AWS::S3::Bucket", "logs", {"lifecycle_rules": rules}, region=None),),
    )
    misses = (told(world, lifecycle_rules=[*rules, {"id": "new", "status": "Enabled"}]),)
    unknown = ((told(world, lifecycle_rules=NOT_TOLD), "s3:GetLifecycleConfiguration"),)
    return Case("logs", world, None, misses, "s3:ListAllMyBuckets", unknown)


def _load_balancer_without_targets() -> Case:
    name, balancer = _balancer()
    group = Listed(GROUP, "targetgroup/web/1", {"load_balancers": [balancer], "targets": []})
    other = replace(group, identifier="targetgroup/api/2")
    world = known(
        Billed(balancer, "AWSELB", "LoadBalancerUsage"),
        listed=(Listed(BALANCER, name, {}, balancer), group, other),
    )
    misses = (told(world, 2, targets=[{"id": "i-1", "state": "unhealthy"}]),)
    unknown = (
        (told(world, 2, targets=NOT_TOLD), "elasticloadbalancing:DescribeTargetHealth"),
        (replace(world, types=(BALANCER,)), "elasticloadbalancing:DescribeTargetGroups"),
    )
    permission = "elasticloadbalancing:DescribeLoadBalancers"
    return Case(balancer, world, "30", misses, permission, unknown)


def _database_snapshot_without_instance() -> Case:
    snapshot = arn("rds", "snapshot:final")
    attributes = {"instance_id": "crm", "snapshot_type": "manual"}
    world = known(
        Billed(snapshot, RDS, "RDS:ChargedBackupUsage"),
        listed=(Listed(DATABASE_SNAPSHOT, "final", attributes, snapshot),),
        types=(DATABASE,),
    )
    misses = (
        replace(world, listed=(*world.listed, Listed(DATABASE, "crm"))),
        told(world, snapshot_type="automated"),
        change(world, created=YOUNG),
    )
    unknown = (
        (replace(world, types=(DATABASE_SNAPSHOT,)), "rds:DescribeDBInstances"),
        (told(world, instance_id=NOT_TOLD), "rds:DescribeDBSnapshots"),
        (change(world, created=None), "rds:DescribeDBSnapshots"),
    )
    return Case(snapshot, world, "30", misses, "rds:DescribeDBSnapshots", unknown)


def _second_interface_endpoint() -> Case:
    attributes = {"endpoint_type": "Interface", "service_name": "ec2", "vpc_id": "vpc-1"}
    first = Listed(ENDPOINT, "vpce-2", attributes)
    second = Listed(ENDPOINT, "vpce-1", attributes, created=YOUNG)
    world = known(Billed("vpce-1", VPC, "VpcEndpoint-Hours", "7.2"), listed=(second, first))
    misses = (
        told(world, 1, vpc_id="vpc-2"),
        told(world, 1, service_name="s3"),
        change(world, 1, created=datetime(2026, 9, 21)),
    )
    unknown = (
        (told(world, vpc_id=NOT_TOLD), "ec2:DescribeVpcEndpoints"),
        (change(world, created=None), "ec2:DescribeVpcEndpoints"),
    )
    return Case("vpce-1", world, "7.2", misses, "ec2:DescribeVpcEndpoints", unknown)


def _snapshot_of_unused_image() -> Case:
    snapshot = arn("ec2", "snapshot/snap-1")
    image = Listed(IMAGE, "ami-1", {"snapshots": ["snap-1"], "last_launched_at": "2026-03-01"})
    world = known(
        Billed(snapshot, EC2, "EBS:SnapshotUsage"),
        listed=(Listed(SNAPSHOT, "snap-1", {}, snapshot), image),
    )
    recent = replace(image, identifier="ami-2",
                     attributes={**image.attributes, "last_launched_at": "2026-09-01T00:00:00Z"})  # fmt: skip
    misses = (
        replace(world, listed=(*world.listed, recent)),
        change(world, 1, created=YOUNG),
        told(world, 1, snapshots=["snap-2"]),
    )
    unknown = (
        (told(world, 1, last_launched_at=None), "ec2:DescribeImageAttribute"),
        (replace(world, types=(SNAPSHOT,)), "ec2:DescribeImages"),
    )
    return Case(snapshot, world, "30", misses, "ec2:DescribeSnapshots", unknown)


CASES: dict[str, Case] = {
    **_metric_cases(),
    "C01": _unattached_volume(),
    "C02": _unassociated_address(),
    "C03": _volume_of_stopped_instance(),
    "C04": _orphaned_snapshot(),
    "C05": _endless_log_group(),
    "C06": _bucket_without_lifecycle(),
    "C07": _load_balancer_without_targets(),
    "C08": _database_snapshot_without_instance(),
    "C09": _second_interface_endpoint(),
    "C10": _snapshot_of_unused_image(),
}
