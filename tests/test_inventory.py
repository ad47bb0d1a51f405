"""What exists, at the doorways: collected from moto's AWS, joined with its bill, tenants apart.

Put here: `finops ingest` with an inventory, the tables that it fills, gaps that are named. Keep
out: each call of the table (test_inventory_calls.py), files (test_inventory_files.py), metrics
(test_cloudwatch.py).
"""

from __future__ import annotations

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.inventoried_tenants import (
    ACME,
    GLOBEX,
    REGION,
    bill,
    client_in,
    declare,
    reset,
    source_of,
    today,
)
from tests.support.servers import Store


@pytest.fixture
def moto_account(moto: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    reset(moto)
    return moto


def make_volume(moto: Store, account: str, **tags: str) -> str:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = client_in(moto, account, "ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2",
        TagSpecifications=[{"ResourceType": "volume", "Tags": listed}] if listed else [],
    )  # fmt: skip
    return str(made["VolumeId"])


def test_two_tenants_see_resources_and_their_costs(
    moto_account: Store, empty: TemporaryInstallation
) -> None:
    moto = moto_account
    volume = make_volume(moto, ACME, Name="data", Team="Zürich ✓")
    other = make_volume(moto, GLOBEX, Name="data")
    client_in(moto, ACME, "dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    declare(empty, {"acme": [source_of(moto, ACME)], "globex": [source_of(moto, GLOBEX)]})
    bill(empty, "acme", {volume: "12.5", "vol-0123456789abcdef0": "3"}, ACME)
    bill(empty, "globex", {other: "7"}, GLOBEX)
    for tenant in ("acme", "globex"):
        report = empty.ingest(tenant)
        assert not report.failed, report.failed
    rows = empty.rows(
        "acme",
        "select resource_type, resource_id, resource_name, resource_arn, project, has_bill,"
        " in_inventory, billed_cost, first_seen, tags, attributes from resources"
        " where resource_type in ('AWS::EC2::Volume', 'AWS::DynamoDB::Table') or not in_inventory"
        " order by resource_id",
    )
    assert [r["resource_id"] for r in rows] == ["orders", "vol-0123456789abcdef0", volume]
    table, unknown, own = rows
    assert (table["has_bill"], table["in_inventory"], table["billed_cost"]) == (False, True, None)
    assert (unknown["has_bill"], unknown["in_inventory"]) == (True, False)
    assert own["billed_cost"] == "12.500000000000000000"
    assert own["project"] == "prod"
    assert own["first_seen"] == today().isoformat()
    assert own["resource_arn"] == f"arn:aws:ec2:{REGION}:{ACME}:volume/{volume}"
    assert "Zürich ✓" in str(own["tags"])
    assert '"volume_type": "gp2"' in own["attributes"]
    seen = empty.rows(
        "globex", "select resource_id from resources where resource_type like '%Volume'"
    )
    assert seen == [{"resource_id": other}]
    for tenant, stranger in (("acme", other), ("globex", volume)):
        content = b"".join(
            path.read_bytes() for path in empty.folder(tenant).rglob("*") if path.is_file()
        )
        assert stranger.encode() not in content
    states = empty.rows("acme", "select state, count(*) as n from inventory_coverage group by 1")
    assert {row["state"] for row in states} <= {"collected", "failed", "not asked"}
    again = empty.ingest("acme")
    assert "inventory" not in {step.stage.value for step in again.steps}
