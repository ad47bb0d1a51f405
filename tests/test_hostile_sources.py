"""Sources that would reach another tenant's bills by another name, found in a review, kept here.

Covers: endpoints that hide a bucket, aliases of buckets, one Cost Explorer asked twice, files
brought by hand out of another's exports, names in bills that look like SQL, one tenant's trouble
beside another's work.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_pipeline.errors import RegistryError, TenantBusy
from finops_pipeline.orchestration import assets
from finops_pipeline.sources.aws import Access, open_client
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.source import CostExplorerApiSource, LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import ask, finops

AMAZON = "https://ce.us-east-1.amazonaws.com"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """acme and globex with a folder of a legacy CUR each."""
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
    with pytest.raises(RegistryError, match="credentials or bucket"):
        LegacyCurSource(name="spy", location="s3://bills/x", endpoint_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    ["s3.amazonaws.com", "s3.eu-central-1.amazonaws.com", "s3.dualstack.us-east-1.amazonaws.com",
     "s3-fips.us-gov-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn",
     "s3-eu-west-1.amazonaws.com", "bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com"],
)  # fmt: skip
def test_the_services_own_endpoints_are_taken(host: str) -> None:
    LegacyCurSource(name="own", location="s3://bills/x", endpoint_url=f"https://{host}")


def test_the_environment_leads_no_source_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_COST_EXPLORER"):
        monkeypatch.setenv(name, "http://minio.globex:9000")
    hosts = {open_client(Access("acme/payer"), name).meta.endpoint_url for name in ("s3", "ce")}
    assert not any("globex" in host for host in hosts), hosts


@pytest.mark.parametrize("bucket", ["x-0a1b-s3alias", "x-0a1b--ol-s3", "m0a1b.mrap"])
def test_an_alias_of_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(RegistryError, match="the bucket's own name"):
        LegacyCurSource(name="spy", location=f"s3://{bucket}/acme")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("http://127.0.0.1:9000", "http://localhost:9000"),
        ("http://minio.example", "https://MINIO.example"),
        ("https://minio.example", "https://minio.example.:443"),
    ],
)
def test_two_spellings_of_a_store_are_one(registry: Registry, mine: str, theirs: str) -> None:
    def source(endpoint: str) -> Source:
        return LegacyCurSource(name="s1", location="s3://bills/x", endpoint_url=endpoint)

    registry.save(Tenant(name="acme", sources=(source(mine),)))
    with pytest.raises(RegistryError, match="location of another tenant"):
        registry.save(Tenant(name="globex", sources=(source(theirs),)))


@pytest.mark.parametrize(
    "words",
    [
        {"location": "https://elsewhere.example", "endpoint_url": AMAZON},
        {"location": AMAZON, "profile": "default"},
        {"location": "https://ce.amazonaws.com/"},
    ],
)
def test_one_cost_explorer_answers_one_tenant(registry: Registry, words: dict[str, str]) -> None:
    """What is asked is told by the endpoint that is used and by the credentials."""
    mine = CostExplorerApiSource(name="days", location=AMAZON)
    registry.save(Tenant(name="acme", sources=(mine,)))
    spy = CostExplorerApiSource(name="spy", **words)
    with pytest.raises(RegistryError, match="another tenant") as error:
        registry.save(Tenant(name="globex", sources=(spy,)))
    assert "acme" not in str(error.value)
    other = spy.model_copy(update={"profile": "globex"})
    registry.save(Tenant(name="globex", sources=(other,)))


def test_no_file_of_another_tenant_comes_in_by_hand(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    assert finops("ingest")[0] == 0
    before = ask("select * from delivery_history", "acme")
    file = tmp_path / "globex/cur/20260901-20261001/cur-1.csv.gz"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/cur-1.csv.gz").symlink_to(file)
    (tmp_path / "mine2").symlink_to(file.parent)
    landed = two.folder("globex") / "landing/source=payer/billing_period=2026-09/delivery.parquet"
    for path in (file, tmp_path / "mine/cur-1.csv.gz", tmp_path / "mine2", landed):
        code, said = finops("ingest-file", "acme/hand", str(path))
        assert code == 1 and "not tenant acme's own" in said, said
    assert ask("select * from delivery_history", "acme") == before
    write_csv(tmp_path / "mine/own.csv", [row("2")])
    assert finops("ingest-file", "acme/hand", str(tmp_path / "mine/own.csv"))[0] == 0


def test_names_in_a_bill_are_no_sql(two: TemporaryInstallation, tmp_path: Path) -> None:
    """In headers, tags, services and file names, also where months' types differ."""
    evil = "'); attach '{}' as g; create view x as from g.costs; --\"x"
    theirs = two.folder("globex") / "globex.duckdb"
    word = evil.format(theirs)
    columns = {word: "1", f"resourceTags/user:{word}": word, "product/ProductName": word}
    deliver(tmp_path / "acme/cur", [row("1.5", **columns)], assembly=word.replace("/", "_"))
    assert finops("ingest")[0] == 0
    hand = tmp_path / f"hand {word.replace('/', '_')}.csv"
    write_csv(hand, [row("2", **columns)])
    assert finops("ingest-file", "acme/hand", str(hand))[0] == 0
    table = pa.table({name: [value] for name, value in row("4", day="2026-08-05").items()})
    pq.write_table(table.append_column(word, pa.array([1])), hand.with_suffix(".parquet"))
    assert finops("ingest-file", "acme/hand", str(hand.with_suffix(".parquet")))[0] == 0
    rows = ask("select * from landing_payer", "acme") + ask("select * from landing_hand", "acme")
    assert [r[word] for r in rows] == ["1"] * 3
    shown = {r["name"] for r in ask("show tables", "acme")}
    assert shown == {r["name"] for r in ask("show tables")} | {"landing_hand"}
    assert "777.77" not in str(ask("select * from costs", "acme"))
    assert finops("gaps", "acme")[0] == finops("status", "acme")[0] == 0
    assert finops("history", "acme/payer", "2026-09")[0] == 0


def test_one_tenants_trouble_stops_no_other_in_a_run() -> None:
    done: list[str] = []

    def work(context: Any, installation: Any, part: Any) -> None:
        if part.tenant == "acme":
            raise TenantBusy("tenant acme is being written by another process")
        if part.tenant == "able":
            raise dg.Failure("able/payer 2026-09: refused")
        done.append(part.tenant)

    names = ("able/payer", "acme/payer", "globex/payer")
    context: Any = types.SimpleNamespace(partition_keys=[f"2026-09|{name}" for name in names])
    with pytest.raises(dg.Failure) as error:
        assets._tenant_by_tenant(context, None, work)  # type: ignore[arg-type]
    assert done == ["globex"]
    assert "able/payer" in str(error.value.description)
    assert "acme" in str(error.value.description)
