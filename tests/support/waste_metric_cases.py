"""For each rule that reads statistics: a hit, near misses, and what is unknown.

Put here: the cases of tier B. Keep out: what a case is (waste_known_cases.py), those of tier C
(waste_inventory_cases.py), what is expected of every rule (test_waste_evidence.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.support.waste_evidence import Billed, Listed, Metric
from tests.support.waste_known_cases import (
    ABSENT,
    BALANCER,
    DATABASE,
    DDB,
    EC2,
    FUNCTION,
    GATEWAY,
    INSTANCE,
    RDS,
    TABLE,
    VOLUME,
    YOUNG,
    Case,
    arn,
    balancer_of,
    change,
    described,
    gaps,
    known,
    measured,
)


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
        described(world, instance_type="m5.large"),
    )
    agent = "CloudWatch agent"
    untyped = (described(world, instance_type=ABSENT), "ec2:DescribeInstances")
    return Case(
        "i-1", world, "34.56", misses, "ec2:DescribeInstances", (*gaps(world, agent), untyped)
    )


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
    misses = (described(world, memory_mib=960),)
    undescribed = (described(world, memory_mib=ABSENT), "ListFunctions")
    unknown = (*gaps(world, "Lambda Insights"), undescribed)
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
        described(world, billing_mode="PAY_PER_REQUEST"),
    )
    return Case(table, world, "60", misses, "dynamodb:ListTables, dynamodb:DescribeTable",
                gaps(world, "Look at the table"))  # fmt: skip


def _unused_load_balancer() -> Case:
    name, balancer = balancer_of("app/web/1")
    metric = Metric("AWS/ApplicationELB RequestCount", {"total": 99.0})
    return _single(
        Billed(balancer, "AWSELB", "LoadBalancerUsage"),
        Listed(BALANCER, name, {}, balancer, metrics=(metric,)),
        {"total": 100.0}, "elasticloadbalancing:DescribeLoadBalancers", "targets",
    )  # fmt: skip


def _idle_volume() -> Case:
    metrics = (Metric("AWS/EBS VolumeReadOps", {"total": 0.5}),
               Metric("AWS/EBS VolumeWriteOps", {"total": 0.4}))  # fmt: skip
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


METRIC_CASES = _metric_cases()
