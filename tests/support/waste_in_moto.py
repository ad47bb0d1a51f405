"""Planted waste in an account of moto's AWS, created with the calls that a team would make.

Put here: creating it, and the ids that moto gives it. Keep out: what is planted
(synthetic/waste_of_resources.py), what a test expects.

moto answers every call of the inventories, but everything in it has been created now. What has to
be old, and functions, whose code moto wants to have, are in files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.inventoried_tenants import client_in
from tests.support.servers import Store


def create_waste(moto: Store, account: str, region: str) -> Mapping[str, str]:
    """Create the planted items of a region; return their ids by those of the plan."""
    clients = {
        name: client_in(moto, account, name, region)
        for name in ("ec2", "elbv2", "s3", "logs", "dynamodb", "redshift", "elasticache")
    }
    instances = _instances(clients["ec2"])
    subnets = clients["ec2"].describe_subnets()["Subnets"][:2]
    _named(clients, region)
    return {
        **instances,
        **_volumes(clients["ec2"], instances, f"{region}a"),
        **_addresses(clients["ec2"], subnets[0]["SubnetId"]),
        **_balancers(clients["elbv2"], subnets, instances["i-0b01"]),
    }


def _instances(ec2: Any) -> dict[str, str]:
    """A running instance, and a stopped one."""
    made = ec2.run_instances(
        ImageId="ami-12345678", InstanceType="m6g.large", MinCount=2, MaxCount=2
    )["Instances"]
    running, stopped = (each["InstanceId"] for each in made)
    ec2.stop_instances(InstanceIds=[stopped])
    return {"i-0b01": running, "i-0c03": stopped}


def _volumes(ec2: Any, instances: Mapping[str, str], zone: str) -> dict[str, str]:
    """A volume of each instance, and one of none."""
    ids = {}
    hosts = {"vol-0b06": instances["i-0b01"], "vol-0c03": instances["i-0c03"], "vol-0c01": ""}
    for name, instance in hosts.items():
        ids[name] = ec2.create_volume(AvailabilityZone=zone, Size=124, VolumeType="gp3")["VolumeId"]
        if instance:
            ec2.attach_volume(VolumeId=ids[name], InstanceId=instance, Device="/dev/sdf")
    return ids


def _addresses(ec2: Any, subnet: str) -> dict[str, str]:
    """An address of nobody, and a NAT gateway with one of its own."""
    free, own = (ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(2))
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=own)["NatGateway"]
    return {"eipalloc-0c02": free, "nat-0b04": gateway["NatGatewayId"]}


def _balancers(elb: Any, subnets: list[dict[str, Any]], instance: str) -> dict[str, str]:
    """A load balancer with a target, and one with an empty group of targets."""
    ids = {}
    for name in ("rare-lb", "empty-lb"):
        balancer = elb.create_load_balancer(
            Name=name, Subnets=[each["SubnetId"] for each in subnets]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        group = elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"]
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )  # fmt: skip
        if name == "rare-lb":
            elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        ids[f"app/{name}/50dc6c495c0c9188"] = balancer.partition(":loadbalancer/")[2]
    return ids


def _named(clients: Mapping[str, Any], region: str) -> None:
    """What has the name that its owner gives it."""
    clients["s3"].create_bucket(
        Bucket="bucket-c06", CreateBucketConfiguration={"LocationConstraint": region}
    )
    clients["logs"].create_log_group(logGroupName="/app-c05")
    clients["dynamodb"].create_table(
        TableName="table-b11",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
    )
    clients["redshift"].create_cluster(
        ClusterIdentifier="wh-b10", NodeType="ra3.xlplus", MasterUsername="admin",
        MasterUserPassword="Password-1",
    )  # fmt: skip
    clients["elasticache"].create_cache_cluster(
        CacheClusterId="cache-b09", Engine="redis", CacheNodeType="cache.m6g.large",
        NumCacheNodes=1,
    )  # fmt: skip
