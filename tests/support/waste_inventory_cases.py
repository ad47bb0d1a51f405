"""For each rule that reads inventories: a hit, near misses, and what is unknown.

Put here: the cases of tier C. Keep out: what a case is (waste_known_cases.py), those of tier B
(waste_metric_cases.py), what is expected of every rule (test_waste_evidence.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.support.waste_evidence import Billed, Listed
from tests.support.waste_known_cases import (
    ABSENT,
    ADDRESS,
    BALANCER,
    DATABASE,
    DATABASE_SNAPSHOT,
    EC2,
    ENDPOINT,
    GROUP,
    IMAGE,
    INSTANCE,
    RDS,
    SNAPSHOT,
    VOLUME,
    VPC,
    YOUNG,
    Case,
    arn,
    balancer_of,
    change,
    described,
    known,
)


def _unattached_volume() -> Case:
    world = known(Billed("vol-1", EC2, "EBS:VolumeUsage.gp3"),
                  listed=(Listed(VOLUME, "vol-1", {"attachments": []}),))  # fmt: skip
    misses = (described(world, attachments=["i-1"]),)
    unknown = tuple(
        (described(world, attachments=value), "ec2:DescribeVolumes") for value in (ABSENT, None)
    )
    return Case("vol-1", world, "30", misses, "ec2:DescribeVolumes", unknown)


def _unassociated_address() -> Case:
    address = arn("ec2", "elastic-ip/eipalloc-1")
    world = known(
        Billed(address, VPC, "PublicIPv4:IdleAddress", "3.6"),
        listed=(Listed(ADDRESS, "eipalloc-1", {"association_id": None}, address),),
    )
    misses = (described(world, association_id="eipassoc-1"),)
    unknown = ((described(world, association_id=ABSENT), "ec2:DescribeAddresses"),)
    return Case(address, world, "3.6", misses, "ec2:DescribeAddresses", unknown)


def _volume_of_stopped_instance() -> Case:
    world = known(
        Billed("vol-1", EC2, "EBS:VolumeUsage.gp3"),
        listed=(Listed(VOLUME, "vol-1", {"attachments": ["i-1"]}),
                Listed(INSTANCE, "i-1", state="stopped")),
    )  # fmt: skip
    ran = replace(world, bill=(*world.bill, Billed("i-1", EC2, "BoxUsage:m5.large")))
    misses = (change(world, 1, state="running"), ran, described(world, attachments=[]))
    unlisted = replace(world, listed=world.listed[:1])
    unknown = (
        (unlisted, "ec2:DescribeInstances"),
        (described(world, attachments=ABSENT), "ec2:DescribeVolumes"),
        (replace(unlisted, types=(VOLUME,)), "ec2:DescribeInstances"),
        (change(world, 1, state=None), "ec2:DescribeInstances"),
    )
    return Case("vol-1", world, "30", misses, "ec2:DescribeVolumes", unknown)


def _orphaned_snapshot() -> Case:
    snapshot = arn("ec2", "snapshot/snap-1")
    images = tuple(Listed(IMAGE, f"ami-{n}", {"snapshots": [f"snap-{n}"]}) for n in (2, 3))
    world = known(
        Billed(snapshot, EC2, "EBS:SnapshotUsage"),
        listed=(Listed(SNAPSHOT, "snap-1", {"volume_id": "vol-1"}, snapshot), *images),
        types=(VOLUME,),
    )
    misses = (
        replace(world, listed=(*world.listed, Listed(VOLUME, "vol-1"))),
        described(world, 1, snapshots=["snap-9", "snap-1"]),
        described(world, volume_id="vol-ffffffff"),
        change(world, created=YOUNG),
    )
    unknown = (
        (replace(world, types=(SNAPSHOT, IMAGE)), "ec2:DescribeVolumes"),
        (replace(world, types=(SNAPSHOT, VOLUME)), "ec2:DescribeImages"),
        (described(world, volume_id=ABSENT), "ec2:DescribeSnapshots"),
        (described(world, 2, snapshots=ABSENT), "ec2:DescribeImages"),
        (change(world, created=None), "ec2:DescribeSnapshots"),
    )
    return Case(snapshot, world, "30", misses, "ec2:DescribeSnapshots", unknown)


def _endless_log_group() -> Case:
    group = arn("logs", "log-group:/app")
    world = known(
        Billed(group, "AmazonCloudWatch", "TimedStorage-ByteHrs"),
        listed=(Listed("AWS::Logs::LogGroup", "/app", {"retention_days": None}, group),),
    )
    misses = (described(world, retention_days=30),)
    unknown = ((described(world, retention_days=ABSENT), "logs:DescribeLogGroups"),)
    return Case(group, world, None, misses, "logs:DescribeLogGroups", unknown)


def _bucket_without_lifecycle() -> Case:
    rules = [{"id": "old", "status": "Disabled"}]
    world = known(
        Billed("logs", "AmazonS3", "TimedStorage-ByteHrs"),
        listed=(Listed("AWS::S3::Bucket", "logs", {"lifecycle_rules": rules}, region=None),),
    )
    misses = (described(world, lifecycle_rules=[*rules, {"id": "new", "status": "Enabled"}]),)
    unknown = ((described(world, lifecycle_rules=ABSENT), "s3:GetLifecycleConfiguration"),)
    return Case("logs", world, None, misses, "s3:ListAllMyBuckets", unknown)


def _load_balancer_without_targets() -> Case:
    name, balancer = balancer_of("app/web/1")
    group = Listed(GROUP, "targetgroup/web/1", {"load_balancers": [balancer], "targets": []})
    other = replace(group, identifier="targetgroup/api/2")
    world = known(
        Billed(balancer, "AWSELB", "LoadBalancerUsage"),
        listed=(Listed(BALANCER, name, {}, balancer), group, other),
    )
    misses = (described(world, 2, targets=[{"id": "i-1", "state": "unhealthy"}]),)
    unknown = (
        (described(world, 2, targets=ABSENT), "elasticloadbalancing:DescribeTargetHealth"),
        (described(world, 2, load_balancers=ABSENT), "elasticloadbalancing:DescribeTarget"),
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
        described(world, snapshot_type="automated"),
        change(world, created=YOUNG),
    )
    unknown = (
        (replace(world, types=(DATABASE_SNAPSHOT,)), "rds:DescribeDBInstances"),
        (described(world, instance_id=ABSENT), "rds:DescribeDBSnapshots"),
        (described(world, snapshot_type=ABSENT), "rds:DescribeDBSnapshots"),
        (change(world, created=None), "rds:DescribeDBSnapshots"),
    )
    return Case(snapshot, world, "30", misses, "rds:DescribeDBSnapshots", unknown)


def _second_interface_endpoint() -> Case:
    attributes = {"endpoint_type": "Interface", "service_name": "ec2", "vpc_id": "vpc-1"}
    first = Listed(ENDPOINT, "vpce-2", attributes)
    second = Listed(ENDPOINT, "vpce-1", attributes, created=YOUNG)
    world = known(Billed("vpce-1", VPC, "VpcEndpoint-Hours", "7.2"), listed=(second, first))
    misses = (
        described(world, 1, vpc_id="vpc-2"),
        described(world, 1, service_name="s3"),
        change(world, 1, created=datetime(2026, 9, 21, tzinfo=UTC)),
    )
    unknown = (
        (described(world, vpc_id=ABSENT), "ec2:DescribeVpcEndpoints"),
        (described(world, endpoint_type=ABSENT), "ec2:DescribeVpcEndpoints"),
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
    lately = {**image.attributes, "last_launched_at": "2026-09-01T00:00:00Z"}
    recent = replace(image, identifier="ami-2", attributes=lately)
    misses = (
        replace(world, listed=(*world.listed, recent)),
        change(world, 1, created=YOUNG),
        described(world, 1, snapshots=["snap-2"]),
    )
    unknown = (
        (described(world, 1, last_launched_at=None), "ec2:DescribeImageAttribute"),
        (described(world, 1, snapshots=ABSENT), "ec2:DescribeImages"),
        (replace(world, types=(SNAPSHOT,)), "ec2:DescribeImages"),
    )
    return Case(snapshot, world, "30", misses, "ec2:DescribeSnapshots", unknown)


INVENTORY_CASES: dict[str, Case] = {
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
