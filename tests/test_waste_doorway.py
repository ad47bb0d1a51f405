"""Waste that inventories and CloudWatch prove, at the doorways: two tenants with the same ids.

Put here: `finops waste list` after bills, inventories and statistics. Keep out: what each rule
finds (test_waste_evidence.py), rules of the bill (test_waste_rules.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.cloudwatch_server import CloudWatchScript, cloudwatch
from tests.support.inventoried_tenants import ACME, GLOBEX, REGION, declare, today
from tests.support.waste_bills import Use, write_bill

ACCOUNTS = {"acme": ACME, "globex": GLOBEX}
INSTANCE, VOLUME, GATEWAY = "i-0123456789abcdef0", "vol-0123456789abcdef0", "nat-0123456789abcdef0"
EC2 = "AmazonEC2"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, CloudWatchScript]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("FINOPS_CLOUDWATCH_DAYS", "20")
    with cloudwatch() as running:
        yield running


def gateway(tenant: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNTS[tenant]}:natgateway/{GATEWAY}"


@pytest.fixture
def billed(
    server: tuple[str, CloudWatchScript], empty: TemporaryInstallation
) -> TemporaryInstallation:
    """Both tenants have the same resources and bills, of the last forty days."""
    usage = {"name": "usage", "format": "cloudwatch", "location": f"aws://{REGION}"}
    usage |= {"endpoint_url": server[0]}
    roles = {name: f"arn:aws:iam::{account}:role/finops" for name, account in ACCOUNTS.items()}
    inventory = {"name": "listed", "format": "inventory"}
    declare(empty, {name: [inventory, usage | {"role_arn": roles[name]}] for name in ACCOUNTS})
    for tenant in ACCOUNTS:
        write_bill(empty.data.parent / "bills" / tenant / "cur", uses(tenant))
        assert not empty.ingest(tenant).failed
    return empty


def uses(tenant: str) -> list[Use]:
    more: dict[str, Any] = {"account": ACCOUNTS[tenant], "region": REGION}
    more |= {"first": today() - timedelta(40), "last": today() - timedelta(1)}
    return [
        Use(INSTANCE, EC2, "BoxUsage:m5.large", "24", "0.1", operation="RunInstances", **more),
        Use(VOLUME, EC2, "EBS:VolumeUsage.gp3", "4", "0.1", unit="GB-Mo", **more),
        Use(gateway(tenant), EC2, "NatGateway-Hours", "24", "0.05", **more),
    ]


def give(made: TemporaryInstallation, tenant: str, attachments: list[str]) -> None:
    """Hand over an inventory, and ask CloudWatch for its resources."""
    common = {"account_id": ACCOUNTS[tenant], "region_id": REGION}
    resources = [
        {"resource_type": "AWS::EC2::Instance", "resource_id": INSTANCE},
        {
            "resource_type": "AWS::EC2::Volume",
            "resource_id": VOLUME,
            "attributes": {"attachments": attachments},
        },
        {
            "resource_type": "AWS::EC2::NatGateway",
            "resource_id": GATEWAY,
            "resource_arn": gateway(tenant),
        },
    ]
    path = made.data.parent / f"{tenant}.json"
    path.write_text(json.dumps([common | resource for resource in resources]))
    made.finops("ingest-file", f"{tenant}/listed", str(path))
    assert not made.ingest(tenant).failed


def listed(made: TemporaryInstallation, tenant: str) -> dict[str, dict[str, Any]]:
    output = made.finops("waste", "list", tenant, "--format", "json").stdout
    return {row["finding_id"].split("-")[0]: row for row in json.loads(output)}


def test_inventories_and_statistics_prove_waste_of_their_own_tenant(
    billed: TemporaryInstallation, server: tuple[str, CloudWatchScript]
) -> None:
    before = listed(billed, "acme")
    assert before["A01"]["state"] == "found"
    for rule in ("B01", "B04", "B06", "C01", "C03"):
        assert (before[rule]["state"], before[rule]["resource_id"]) == ("unknown", None)
        assert "No inventory lists AWS::EC2::" in before[rule]["reason"]

    server[1].change = _silence
    give(billed, "acme", attachments=[])
    rows = listed(billed, "acme")
    for rule, resource in (("B01", INSTANCE), ("C01", VOLUME), ("B06", VOLUME)):
        assert (rows[rule]["state"], rows[rule]["resource_id"]) == ("found", resource)
    # the bill and CloudWatch agree on the gateway, and the better evidence counts
    assert Decimal(rows["B04"]["counted_saving"]) == Decimal(rows["A01"]["monthly_saving"]) == 36
    assert Decimal(rows["A01"]["counted_saving"]) == 0
    counted = [Decimal(row["counted_saving"]) for row in rows.values()]
    assert sum(counted) == 36 + 72 + 12  # the cost of all three, each once

    assert listed(billed, "globex").keys() == before.keys()
    server[1].change = None
    give(billed, "globex", attachments=[INSTANCE])
    assert not {"B01", "B04", "B06", "C01"} & listed(billed, "globex").keys()


def test_statistics_that_are_denied_name_the_permission(
    billed: TemporaryInstallation, server: tuple[str, CloudWatchScript]
) -> None:
    server[1].denied_resources = {INSTANCE}
    for tenant in ACCOUNTS:
        give(billed, tenant, attachments=[INSTANCE])
        row = listed(billed, tenant)["B01"]
        assert (row["state"], row["resource_id"]) == ("unknown", INSTANCE)
        explained = billed.finops("waste", "explain", tenant, row["finding_id"]).stdout
        assert "cloudwatch:GetMetricData" in explained


def _silence(result: dict[str, Any], query: dict[str, Any]) -> None:
    result["Values"] = [0.0 for _ in result["Values"]]
