"""Sources that reach another tenant's bills under another name: regression tests from a review.

Covers: endpoints that hide a bucket, aliases of buckets, a Cost Explorer declared by two tenants,
files imported from another tenant's exports, names in bills that look like SQL, a failing tenant
beside one that works.
"""

from __future__ import annotations

import os
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.errors import RegistryError, TenantBusy
from finops_pipeline.orchestration import tenant_parts
from finops_pipeline.sources.aws import Access, open_client
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.source import CostExplorerApiSource, LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import ask, finops
from tests.support.published_files import published_file

AMAZON = "https://ce.us-east-1.amazonaws.com"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")


@pytest.fixture
def two_tenants(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """acme and globex with a legacy CUR folder each."""
    text = "tenants:\n"
    for tenant, cost in (("acme", "1.5"), ("globex", "777.77")):
        deliver(tmp_path / tenant / "cur", [row(cost)])
        source = f"name: payer, format: legacy-cur, location: {tenant}/cur"
        text += f"- name: {tenant}\n  sources: [{{{source}}}, {{name: hand, format: legacy-cur}}]\n"
    (tmp_path / "tenants.yaml").write_text(text)
    empty.apply(tmp_path / "tenants.yaml")
    return empty


@pytest.mark.parametrize(
    "host",
    ["acme.s3.amazonaws.com", "acme.s3.eu-central-1.amazonaws.com", "s3.evil.amazonaws.com",
     "s3-evil.s3.amazonaws.com", "acme.bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com",
     "acme.s3.amazonaws.com."],
)  # fmt: skip
def test_a_bucket_in_the_endpoint_is_refused(host: str) -> None:
    """There `s3://bills` would be the bucket bills.acme, or a key of the bucket acme."""
    with pytest.raises(RegistryError, match="credentials or a bucket"):
        LegacyCurSource(name="spy", location="s3://bills/x", endpoint_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    ["s3.amazonaws.com", "s3.eu-central-1.amazonaws.com", "s3.dualstack.us-east-1.amazonaws.com",
     "s3-fips.us-gov-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn",
     "s3-eu-west-1.amazonaws.com", "bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com"],
)  # fmt: skip
def test_the_endpoints_of_aws_itself_are_accepted(host: str) -> None:
    LegacyCurSource(name="own", location="s3://bills/x", endpoint_url=f"https://{host}")


def test_the_environment_redirects_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_COST_EXPLORER"):
        monkeypatch.setenv(name, "http://minio.globex:9000")
    hosts = {open_client(Access("acme/payer"), name).meta.endpoint_url for name in ("s3", "ce")}
    assert not any("globex" in host for host in hosts), hosts


@pytest.mark.parametrize("bucket", ["x-0a1b-s3alias", "x-0a1b--ol-s3", "m0a1b.mrap"])
def test_an_alias_of_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(RegistryError, match="the bucket's own name"):
        LegacyCurSource(name="spy", location=f"s3://{bucket}/acme")


@pytest.mark.parametrize(
    ("first_endpoint", "second_endpoint"),
    [
        ("http://127.0.0.1:9000", "http://localhost:9000"),
        ("http://minio.example", "https://MINIO.example"),
        ("https://minio.example", "https://minio.example.:443"),
    ],
)
def test_two_spellings_of_an_endpoint_are_the_same_location(
    registry: Registry, first_endpoint: str, second_endpoint: str
) -> None:
    def source(endpoint: str) -> Source:
        return LegacyCurSource(name="s1", location="s3://bills/x", endpoint_url=endpoint)

    registry.save(Tenant(name="acme", sources=(source(first_endpoint),)))
    with pytest.raises(RegistryError, match="a location that belongs to another tenant"):
        registry.save(Tenant(name="globex", sources=(source(second_endpoint),)))


@pytest.mark.parametrize(
    "settings",
    [
        {"location": "https://elsewhere.example", "endpoint_url": AMAZON},
        {"location": AMAZON, "profile": "default"},
        {"location": "https://ce.amazonaws.com/"},
    ],
)
def test_a_cost_explorer_belongs_to_a_single_tenant(
    registry: Registry, settings: dict[str, str]
) -> None:
    """The endpoint in use and the credentials decide whose Cost Explorer answers."""
    first_source = CostExplorerApiSource(name="days", location=AMAZON)
    registry.save(Tenant(name="acme", sources=(first_source,)))
    spy = CostExplorerApiSource(name="spy", **settings)
    with pytest.raises(RegistryError, match="another tenant") as error:
        registry.save(Tenant(name="globex", sources=(spy,)))
    assert "acme" not in str(error.value)
    own_source = spy.model_copy(update={"profile": "globex"})
    registry.save(Tenant(name="globex", sources=(own_source,)))


def test_no_file_of_another_tenant_can_be_imported(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    assert finops("ingest")[0] == 0
    before = ask("select * from delivery_history", "acme")
    file = tmp_path / "globex/cur/20260901-20261001/cur-1.csv.gz"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/cur-1.csv.gz").symlink_to(file)
    (tmp_path / "mine2").symlink_to(file.parent)
    landed = published_file(two_tenants.folder("globex"), "landing", "payer", "2026-09")
    shown = two_tenants.folder("globex") / "landing/source=payer/billing_period=2026-09"
    shown /= landed.name
    for path in (file, tmp_path / "mine/cur-1.csv.gz", tmp_path / "mine2", landed, shown):
        exit_code, output = finops("ingest-file", "acme/hand", str(path))
        assert exit_code == 1 and "not tenant acme's own" in output, output
    assert ask("select * from delivery_history", "acme") == before
    write_csv(tmp_path / "mine/own.csv", [row("2")])
    assert finops("ingest-file", "acme/hand", str(tmp_path / "mine/own.csv"))[0] == 0


def test_names_in_a_bill_are_not_run_as_sql(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """In headers, tags, services and file names, also where a column's type differs by month."""
    hostile_sql = "'); attach '{}' as g; create view x as from g.costs; --\"x"
    other_file = two_tenants.folder("globex") / "globex.duckdb"
    hostile_name = hostile_sql.format(other_file)
    columns = {
        hostile_name: "1",
        f"resourceTags/user:{hostile_name}": hostile_name,
        "product/ProductName": hostile_name,
    }
    deliver(tmp_path / "acme/cur", [row("1.5", **columns)], assembly=hostile_name.replace("/", "_"))
    assert finops("ingest")[0] == 0
    bill = tmp_path / f"hand {hostile_name.replace('/', '_')}.csv"
    write_csv(bill, [row("2", **columns)])
    assert finops("ingest-file", "acme/hand", str(bill))[0] == 0
    table = pa.table({name: [value] for name, value in row("4", day="2026-08-05").items()})
    pq.write_table(table.append_column(hostile_name, pa.array([1])), bill.with_suffix(".parquet"))
    assert finops("ingest-file", "acme/hand", str(bill.with_suffix(".parquet")))[0] == 0
    rows = ask("select * from landing_payer", "acme") + ask("select * from landing_hand", "acme")
    assert [r[hostile_name] for r in rows] == ["1"] * 3
    tables = {r["name"] for r in ask("show tables", "acme")}
    assert tables == {r["name"] for r in ask("show tables")} | {"landing_hand"}
    assert "777.77" not in str(ask("select * from costs", "acme"))
    assert finops("gaps", "acme")[0] == finops("status", "acme")[0] == 0
    assert finops("history", "acme/payer", "2026-09")[0] == 0


NO_PLACES = {
    "the lake": "{data}/lake/tenant=globex",
    "around the lake": "{data}",
    "a link to the lake": "{tmp}/link",
    "the root folder": "/",
    "a folder of the system": "/etc",
    "a folder in one": "file:///usr/share",
    "http": "http://example.com/cur",
    "https": "https://bucket.s3.amazonaws.com/cur",
    "ftp": "ftp://example.com/cur",
}


@pytest.mark.parametrize("place", NO_PLACES)
def test_a_location_that_no_source_may_read_is_refused_when_it_is_declared(
    two_tenants: TemporaryInstallation, tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(two_tenants.data / "lake")
    location = NO_PLACES[place].format(data=two_tenants.data, tmp=tmp_path)
    declared = tmp_path / "places.yaml"
    source = f"{{name: other, format: cur-2.0, location: '{location}'}}"
    declared.write_text(f"tenants: [{{name: acme, sources: [{source}]}}]")
    add = ("source", "add", "acme/other", "--format", "cur-2.0", "--location", location)
    for command in (("apply", str(declared)), add):
        code, output = finops(*command)
        assert code == 1 and "Expected" in output, output
    assert "other" not in finops("source", "list", "acme")[1]


def test_a_hard_link_to_the_export_of_another_tenant_is_refused(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    assert finops("ingest", "globex")[0] == 0
    (bill,) = (tmp_path / "globex").rglob("*.csv.gz")
    (own,) = (tmp_path / "acme").rglob("*.csv.gz")
    own.unlink()
    os.link(bill, own)
    code, output = finops("ingest", "acme")
    assert code == 1 and "is a hard link to a file that belongs to another tenant" in output
    assert "globex" not in output
    linked = tmp_path / "by-hand.csv.gz"
    os.link(bill, linked)
    code, output = finops("ingest-file", "acme/hand", str(linked))
    assert code == 1 and "not tenant acme's own" in output
    assert not list(two_tenants.folder("acme").rglob("*.parquet"))
    assert finops("ingest", "globex")[0] == 0, "the link was made from its file"


def test_a_failing_tenant_stops_no_other_tenant_of_a_run() -> None:
    finished: list[str] = []
    refused = Step(Stage.LANDING, "able/payer", "2026-09", StepOutcome.REFUSED)

    def work(part: tenant_parts.TenantPart) -> Iterator[tenant_parts.Event]:
        tenant = part.request.tenant
        if tenant == "acme":
            raise TenantBusy("tenant acme is being written by another process")
        if tenant == "able":
            raise tenant_parts.FailedSteps([refused])
        yield dg.AssetMaterialization("landing", partition=f"2026-09|{tenant}/payer")
        finished.append(tenant)

    names = ("able/payer", "acme/payer", "globex/payer")
    keys = [f"2026-09|{name}" for name in names]
    context: Any = types.SimpleNamespace(
        partition_keys=keys,
        run=types.SimpleNamespace(tags={}),
        asset_key=dg.AssetKey("landing"),
    )
    resource: Any = types.SimpleNamespace(open=lambda: None)
    events: list[Any] = []
    with pytest.raises(dg.Failure) as error:
        events.extend(tenant_parts.do_tenant_by_tenant(context, resource, work))
    assert finished == ["globex"]
    assert "able/payer" in str(error.value.description)
    assert "acme" in str(error.value.description)
