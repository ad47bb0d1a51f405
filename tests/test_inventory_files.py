"""Inventories in files, at the doorways: forms, spoiled records, snapshots, limited files.

Put here: `finops ingest-file` of an inventory and what the tables have then. Keep out: AWS's own
answers (test_inventory.py, test_inventory_calls.py).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.application.scoped_files import require_scoped
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.scoped_folder import ScopedFile
from tests.conftest import TemporaryInstallation
from tests.support.inventoried_tenants import ACME, GLOBEX, REGION, bill, declare, today

LISTED = [{"name": "listed", "format": "inventory"}]
VOLUME = "vol-0123456789abcdef0"


def volume(account: str = ACME, region: str = REGION, **more: Any) -> dict[str, Any]:
    described = {"account_id": account, "region_id": region, "resource_type": "AWS::EC2::Volume"}
    return described | {"resource_id": VOLUME} | more


@pytest.fixture
def made(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Two tenants with a bill that names a volume of the same id."""
    projects = [
        {"name": "prod", "accounts": [ACME]},
        {"name": "web", "claims": [{"tags": {"Team": "web"}}]},
    ]
    declare(empty, {"acme": LISTED, "globex": LISTED}, acme={"projects": projects})
    for tenant, account in (("acme", ACME), ("globex", GLOBEX)):
        database = f"arn:aws:rds:{REGION}:{account}:db:orders"
        bill(empty, tenant, {VOLUME: "2", database: "3"}, account)
        assert not empty.ingest(tenant).failed
    return empty


def give(made: TemporaryInstallation, content: Any, name: str = "things.json") -> Any:
    path = made.data.parent / name
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return ingest_files(made.installation, FilesByHand("acme", "listed", [Path(path)]))


def test_every_form_of_file_gives_the_same_resource(made: TemporaryInstallation) -> None:
    text = f"account_id,region_id,resource_type,resource_id,tags\n{ACME},{REGION},AWS::EC2::Volume,"
    text += f'{VOLUME},"{{""Team"": ""web""}}"\n'
    config = {
        "configurationItems": [
            {
                "resourceType": "AWS::EC2::Volume", "resourceId": VOLUME, "awsAccountId": ACME,
                "awsRegion": REGION, "ARN": f"arn:aws:ec2:{REGION}:{ACME}:volume/{VOLUME}",
                "configurationItemCaptureTime": f"{today()}T01:02:03.000Z",
                "configurationItemStatus": "OK", "tags": {"Team": "web"},
                "configuration": {
                    "volumeId": VOLUME, "size": 9, "volumeType": "gp2", "attachments": [],
                    "state": "available",
                },
            }
        ]
    }  # fmt: skip
    forms = {
        "a.json": [volume(tags={"Team": "web"})],
        "b.csv.gz": text.encode(),
        "c.json.gz": config,
    }
    for name, content in forms.items():
        assert not give(made, content, name).failed
        rows = made.rows(
            "acme", "select project, resource_id, billed_cost from resources where in_inventory"
        )
        assert rows == [{"project": "web", "resource_id": VOLUME, "billed_cost": None}]
    (row,) = made.rows("acme", "select attributes, state from inventory")
    assert json.loads(row["attributes"])["size_gib"] == 9 and row["state"] == "available"


def test_a_bill_and_a_resource_meet_by_id_arn_and_name(made: TemporaryInstallation) -> None:
    database = {
        "account_id": ACME, "region_id": REGION, "resource_type": "AWS::RDS::DBInstance",
        "resource_id": "orders", "resource_arn": f"arn:aws:rds:{REGION}:{ACME}:db:orders",
    }  # fmt: skip
    table = database | {
        "resource_type": "AWS::DynamoDB::Table",
        "resource_arn": f"arn:aws:dynamodb:{REGION}:{ACME}:table/orders",
    }
    assert not give(made, [volume(), database, table]).failed
    rows = made.rows(
        "acme", "select resource_type, effective_cost, has_bill from resources order by 1"
    )
    assert [(r["resource_type"], r["effective_cost"], r["has_bill"]) for r in rows] == [
        ("AWS::DynamoDB::Table", None, False),
        ("AWS::EC2::Volume", "2.000000000000000000", True),
        ("AWS::RDS::DBInstance", "3.000000000000000000", True),
    ]
    made.finops("verify", "acme")


def test_spoiled_records_are_quarantined_and_an_id_may_be_in_two_places(
    made: TemporaryInstallation,
) -> None:
    other = "999900001111"
    spoiled = [
        volume(resource_arn=f"arn:aws-cn:ec2:{REGION}:{ACME}:volume/{VOLUME}"),
        volume(account="12"),
        volume(region="nowhere"),
        {"resource_type": "AWS::EC2::Volume"},
        "text",
    ]
    good = [volume(), volume(), volume(account=other), volume(region="us-east-1")]
    report = give(made, [*spoiled, *good, volume(account=ACME, tags={"Ключ": "я" * 256})])
    assert not report.failed
    note = "".join(step.reason for step in report.steps)
    assert "5 resources quarantined" in note and "2 resources listed twice" in note
    rows = made.rows("acme", "select account_id, region_id, project from inventory order by 1, 2")
    assert [(r["account_id"], r["region_id"], r["project"]) for r in rows] == [
        (ACME, REGION, "prod"), (ACME, "us-east-1", "prod"), (other, REGION, "unassigned"),
    ]  # fmt: skip
    reasons = made.rows("acme", "select reason from quarantine where source = 'listed'")
    assert len(reasons) == 5
    # the bill's volume is in one of the two regions of its account
    (billed,) = made.rows("acme", "select region_id from resources where has_bill and in_inventory")
    assert billed == {"region_id": REGION}


def test_a_refused_file_changes_nothing(made: TemporaryInstallation) -> None:
    assert not give(made, [volume()]).failed
    before = made.rows("acme", "select * from inventory")
    for content in (b"[", b"a,b\n1,2\n", b'{"a": 1}', b"\xff\xfe", json.dumps([volume(GLOBEX)])):
        with pytest.raises(FileProblem):
            give(made, content if isinstance(content, bytes) else content.encode())
    old = {"configurationItems": [{"configurationItemCaptureTime": "2026-01-01T00:00:00Z"}]}
    with pytest.raises(FileProblem, match="the newest snapshot"):
        give(made, old)
    assert made.rows("acme", "select * from inventory") == before


def limited_to_web(made: TemporaryInstallation) -> ScopedFile:
    """The file that is limited to the project `web`, as it is declared now."""
    installation = made.installation
    web = [p.identity for p in installation.registry.projects("acme") if p.name == "web"]
    return require_scoped(installation.folder("acme"), web, installation.limits)


def resources_of(scoped: ScopedFile) -> list[tuple[str, ...]]:
    with duckdb.connect(str(scoped.path), read_only=True) as connection:
        return connection.execute("select resource_id from resources order by 1").fetchall()


def test_a_project_limited_file_has_its_own_resources_only(made: TemporaryInstallation) -> None:
    own, foreign = volume(resource_id="vol-1", tags={"Team": "web"}), volume(resource_id="vol-2")
    assert not give(made, [own, foreign, volume(account="999900001111")]).failed
    scoped = limited_to_web(made)
    assert resources_of(scoped) == [("vol-1",)]
    with duckdb.connect(str(scoped.path), read_only=True) as connection:
        covered = connection.execute("select distinct account_id from inventory_coverage")
        assert covered.fetchall() == [(ACME,)]
    assert b"vol-2" not in scoped.path.read_bytes()


def test_a_project_declared_again_shows_no_resource_of_the_earlier_one(
    made: TemporaryInstallation,
) -> None:
    assert not give(made, [volume(resource_id="vol-1", tags={"Team": "web"})]).failed
    assert resources_of(limited_to_web(made)) == [("vol-1",)]
    made.finops("project", "remove", "acme/web", "--yes", "acme/web")
    made.finops("project", "add", "acme/web", "--account", "999900001111")
    assert resources_of(limited_to_web(made)) == []
    assert not made.ingest("acme").failed
    scoped = limited_to_web(made)
    assert (scoped.names, resources_of(scoped)) == (("web",), [])
    assert b"vol-1" not in scoped.path.read_bytes()


def test_a_restored_ledger_still_has_the_inventory(made: TemporaryInstallation) -> None:
    assert not give(made, [volume()]).failed
    folder = made.folder("acme")
    for name in ("ledger.sqlite", ".ledger-copy.sqlite"):
        (folder / name).unlink(missing_ok=True)
    made.finops("rebuild", "acme")
    (row,) = made.rows("acme", "select resource_id, billed_cost from resources where in_inventory")
    assert row == {"resource_id": VOLUME, "billed_cost": "2.000000000000000000"}
