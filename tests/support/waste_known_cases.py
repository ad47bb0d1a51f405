"""What a case of a rule of waste is, and changes that make a hit a near miss or unknown.

Put here: the class Case, ids and types, changed worlds. Keep out: the cases (waste_metric_cases.py,
waste_inventory_cases.py), planting them (waste_evidence.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tests.support.waste_evidence import ACCOUNT, REGION, Billed, Listed, World

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
YOUNG = datetime(2026, 9, 20, tzinfo=UTC)


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


def balancer_of(name: str) -> tuple[str, str]:
    """The id and the ARN of a load balancer."""
    return name, arn("elasticloadbalancing", f"loadbalancer/{name}")


def known(*bill: Billed, listed: tuple[Listed, ...], **more: Any) -> World:
    """A world in which the types of all resources are listed, and more types."""
    types = dict.fromkeys([*(resource.kind for resource in listed), *more.pop("types", ())])
    return World(bill, listed, tuple(types), **more)


def change(world: World, number: int = 0, **changed: Any) -> World:
    """The same world with one resource changed."""
    resources = list(world.listed)
    resources[number] = replace(resources[number], **changed)
    return replace(world, listed=tuple(resources))


def described(world: World, number: int = 0, **attributes: Any) -> World:
    """The same world with other attributes of a resource; ABSENT: not stated."""
    before = {**world.listed[number].attributes, **attributes}
    kept = {name: value for name, value in before.items() if value is not ABSENT}
    return change(world, number, attributes=kept)


ABSENT = object()


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
