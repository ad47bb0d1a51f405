"""What bills, inventories and CloudWatch say about a few resources, planted into empty tables.

Put here: planting, and running the rules of waste on it. Keep out: the cases
(waste_known_cases.py), what is expected (test_waste_evidence.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.contracts.waste_inputs import WASTE_INPUTS
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.marts.waste_findings import create_macros, waste_sql
from finops_pipeline.marts.waste_rules_library import waste_rules

ACCOUNT, REGION = "111122223333", "us-east-1"
START, END = date(2026, 9, 1), date(2026, 9, 30)
LISTED = date(2026, 10, 2)
OLD = datetime(2026, 1, 1, tzinfo=UTC)
TABLES_READ = ("recent_usage", "resources", "inventory_coverage", "resource_metrics",
               "metric_coverage", "prices", *(table.name for table in WASTE_INPUTS))  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """The same statistics on each of the last days of the bill."""

    name: str
    statistics: Mapping[str, float]
    days: int = 14
    state: str = "collected"


@dataclass(frozen=True)
class Listed:
    """A resource as an inventory lists it."""

    kind: str
    identifier: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    billed: str | None = None
    state: str | None = ""
    created: datetime | None = OLD
    last_seen: date = LISTED
    metrics: tuple[Metric, ...] = ()
    region: str | None = REGION


@dataclass(frozen=True)
class Billed:
    """Usage of a resource in the 30 days."""

    resource: str | None
    service: str
    meter: str
    cost: str = "30"
    quantity: str = "720"
    list_cost: str = ""
    operation: str = ""


@dataclass(frozen=True)
class World:
    """What is known: the bill, the lists of some types, and what was refused."""

    bill: tuple[Billed, ...]
    listed: tuple[Listed, ...] = ()
    types: tuple[str, ...] = ()
    denied: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, str] = field(default_factory=dict)
    is_measured: bool = True


class Planted:
    """Empty tables as in a tenant's file, into which one world after another is planted."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        create_macros(self.connection)
        for table in TABLES:
            columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
            self.connection.execute(f"create table {table.name} ({columns})")

    def findings(self, rule: str, world: World) -> list[dict[str, Any]]:
        """Run a rule."""
        for name in TABLES_READ:
            self.connection.execute(f"delete from {name}")
        for name, rows in _rows(world).items():
            for row in rows:
                self._insert(name, row)
        for table in WASTE_INPUTS:
            self.connection.execute(
                f"insert into {table.name} select * from ({waste_sql(table.name)})"
            )
        (sql,) = (known.sql for known in waste_rules() if known.rule == rule)
        return fetch_dicts(self.connection.execute(sql))

    def _insert(self, name: str, row: Mapping[str, Any]) -> None:
        given = ", ".join(f"? as {column}" for column in row)
        self.connection.execute(f"insert into {name} by name select {given}", list(row.values()))


def _rows(world: World) -> dict[str, list[dict[str, Any]]]:
    return {
        "recent_usage": [_usage(use) for use in world.bill],
        "resources": [_resource(listed, world.bill) for listed in world.listed],
        "inventory_coverage": list(_coverage(world)),
        "resource_metrics": [row for listed in world.listed for row in _days(listed)],
        "metric_coverage": [
            {**_series(listed, metric), "state": metric.state, "days": metric.days,
             "permission": "cloudwatch:GetMetricData" if metric.state == "denied" else None}
            for listed in world.listed for metric in listed.metrics if world.is_measured
        ],
        "prices": [
            {"service_code": "AmazonEC2", "price_code": code, "region_id": REGION, "unit": "Hrs",
             "price": Decimal(price), "currency": "USD", "source_url": "list", "origin": "shipped"}
            for code, price in world.prices.items()
        ],
    }  # fmt: skip


def _usage(use: Billed) -> dict[str, Any]:
    unnamed = use.resource is None
    return {
        "project": "shop", "source": "payer", "sub_account_id": ACCOUNT, "region_id": REGION,
        "service_code": use.service, "usage_type": use.meter, "meter": use.meter,
        "operation": use.operation, "resource_id": use.resource, "billing_currency": "USD",
        "window_start": START, "window_end": END, "presence": "present",
        "gap": "The bill does not name the resource." if unnamed else None,
        "gap_cure": "Include resource ids in the export." if unnamed else None,
        "consumed_quantity": Decimal(use.quantity), "own_cost": Decimal(use.cost),
        "list_cost": Decimal(use.list_cost or use.cost), "spot_quantity": 0, "covered_quantity": 0,
    }  # fmt: skip


def _resource(listed: Listed, bill: Iterable[Billed]) -> dict[str, Any]:
    billed = listed.billed or listed.identifier
    is_billed = billed in {use.resource for use in bill}
    return {
        "project": "shop", "source": "inventory", "account_id": ACCOUNT, "region_id": listed.region,
        "resource_type": listed.kind, "resource_id": listed.identifier, "in_inventory": True,
        "state": listed.state, "created_at": listed.created, "last_seen": listed.last_seen,
        "attributes": json.dumps(listed.attributes),
        "billed_resource_id": billed if is_billed else None,
    }  # fmt: skip


def _coverage(world: World) -> Iterable[dict[str, Any]]:
    for kind in (*world.types, *world.denied):
        permission = world.denied.get(kind)
        home = "global" if kind == "AWS::S3::Bucket" else REGION
        regions = {home, *(listed.region or home for listed in world.listed if listed.kind == kind)}
        for region in sorted(regions):
            yield {
                "source": "inventory", "account_id": ACCOUNT, "region_id": region,
                "resource_type": kind, "as_of": LISTED,
                "state": "denied" if permission else "collected", "permission": permission,
                "reason": f"AWS denied {permission}." if permission else None,
            }  # fmt: skip


def _series(listed: Listed, metric: Metric) -> dict[str, Any]:
    return {
        "source": "cloudwatch", "account_id": ACCOUNT, "region_id": REGION,
        "resource_type": listed.kind, "resource_id": listed.identifier, "metric_name": metric.name,
    }  # fmt: skip


def _days(listed: Listed) -> Iterable[dict[str, Any]]:
    for metric in listed.metrics:
        for ago in range(metric.days):
            day = {"day": END - timedelta(ago), "project": "shop"}
            yield {**_series(listed, metric), **day, **metric.statistics}
