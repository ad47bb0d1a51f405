"""Deliveries, stores and registries that have broken other pipelines: see docs/decisions/0026.

Put here: many files, kinds of files, manifests that vanish, several reports and payers in a place,
a store that sends no length, commands that only read, a source that is removed. Keep out: contents
of a bill (test_edge_cases.py).
"""

from __future__ import annotations

import shutil
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.sources.location import LocalFolder
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import (
    FOLDER,
    MONTH,
    ZEROS,
    Census,
    billed,
    built_globex,
    manifest,
    rows,
    take,
    two,
)
from tests.support.bills import deliver, row, write_csv
from tests.support.faulty_proxy import FOREVER, Exchange, Fault, FaultyServer, line
from tests.support.globex import finops
from tests.support.servers import Store

__all__ = ["built_globex", "line", "two"]


def test_a_delivery_of_more_than_a_hundred_files(two: TemporaryInstallation) -> None:
    folder = two.data.parent / f"acme/cur/{FOLDER}"
    names = [f"cur-{number:05d}.csv.gz" for number in range(1, 121)]
    for number, name in enumerate(names, start=1):
        write_csv(folder / name, [row(f"{number}.000000001")])
    write_csv(folder / "cur-00121.csv.gz", [row("9999")])  # no manifest names it
    manifest(folder, names)
    assert not two.ingest("acme").failed
    assert billed(two) == {"prod": Decimal("7260.00000012")}
    assert rows(two, "select count(distinct x_SourceFile) from costs") == [(120,)]


@pytest.mark.parametrize("ending", [".csv.bz2", ".csv.xz", ".csv.zst", ".orc"])
def test_files_of_an_unsupported_kind_are_refused(two: TemporaryInstallation, ending: str) -> None:
    folder = two.data.parent / f"acme/cur/{FOLDER}"
    manifest(folder, [f"cur-1{ending}"])
    (folder / f"cur-1{ending}").write_bytes(b"x")
    (step,) = two.ingest("acme").failed
    assert f"cur-1{ending} is not of a supported file type" in step.reason
    assert ".csv.gz" in step.reason


@pytest.mark.parametrize("is_intact", [True, False], ids=["intact file", "damaged file"])
def test_a_manifest_that_vanishes_while_its_files_are_read(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, is_intact: bool
) -> None:
    """No month is published; damage of a file is reported before the missing manifest."""
    take(two, [row("1")])
    manifest_path = deliver(two.data.parent / "acme/cur", [row("2")], assembly="two")
    if not is_intact:
        bill = manifest_path.with_name("cur-1.csv.gz")
        bill.write_bytes(bill.read_bytes()[:-5])
    fetch = LocalFolder.fetch_all

    def fetch_and_lose(self: LocalFolder, *arguments: Any) -> Any:
        manifest_path.unlink(missing_ok=True)
        return fetch(self, *arguments)

    monkeypatch.setattr(LocalFolder, "fetch_all", fetch_and_lose)
    (step,) = two.ingest("acme").failed
    expected_reason = (
        "cur-Manifest.json changed while it was read" if is_intact else "cur-1.csv.gz is damaged"
    )
    assert expected_reason in step.reason
    assert billed(two) == {"prod": 1}


def test_a_disk_too_small_for_the_text_of_a_bill(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is space for the compressed file but not for its decompressed text."""
    bill = deliver(two.data.parent / "acme/cur", [row("1")] * 5000).with_name("cur-1.csv.gz")
    size = bill.stat().st_size
    usage = shutil.disk_usage("/")._replace(free=2 * size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (step,) = two.ingest("acme").failed
    assert f"but the disk of {two.data}" in step.reason and f"{2 * size} free" in step.reason
    monkeypatch.undo()
    assert "cur-1.csv" not in str(sorted(two.data.rglob("*")))


def test_several_reports_in_a_location(two: TemporaryInstallation, tmp_path: Path) -> None:
    """A location that contains several reports feeds a source of a report's name, or is refused."""
    reports, empty_folder = tmp_path / "acme/several", tmp_path / "acme/none"
    for name, cost in (("daily", "1"), ("hourly", "2")):
        deliver(reports / name, [row(cost)])
    empty_folder.mkdir()
    for name, where in (("any", reports), ("hourly", reports), ("none", empty_folder)):
        options = ("--format", "legacy-cur", "--location", str(where))
        assert finops("source", "add", f"acme/{name}", *options)[0] == 0
    deliver(two.data.parent / "acme/cur", [row("4")])
    any_reason, empty_reason = (step.reason for step in two.ingest("acme").failed)
    assert "contains several reports: daily, hourly" in any_reason
    assert "declare a source for each of the others" in any_reason
    assert "acme/none contains no billing period (it contains: nothing)" in empty_reason
    assert billed(two, "x_Source") == {"payer": 4, "hourly": 2}


# --- stores


@pytest.fixture
def bucket(
    two: TemporaryInstallation, store: Store, line: FaultyServer, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:  # fmt: skip
    """A bucket with the bills of two payers, which acme's sources payer-1 and payer-2 read."""
    for number, cost in ((1, "10.25"), (2, "20.5")):
        deliver(tmp_path / f"both/payer-{number}/cur", [row(cost), row("1", account=ZEROS)])
    store.upload(tmp_path / "both", "two-payers")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.keys[1])
    sources = [
        {"name": f"payer-{n}", "format": "legacy-cur", "endpoint_url": line.url,
         "location": f"s3://two-payers/payer-{n}/cur"}
        for n in (1, 2)
    ]  # fmt: skip
    declared = tmp_path / "buckets.yaml"
    declared.write_text(yaml.safe_dump({"tenants": [{"name": "acme", "sources": sources}]}))
    two.apply(declared)
    deliver(two.data.parent / "acme/cur", [row("4")])
    return "two-payers"


def without_length(to: Exchange) -> None:
    """Send the full body without its length: it ends when the connection closes."""
    answer = to.forward()
    to.store_request.status = answer.status
    to.send_response(answer.status)
    for name, value in answer.headers.items():
        to.send_header(name, value)
    to.send_header("Connection", "close")
    to.end_headers()
    to.send(answer.body)
    to.hang_up()


def test_two_payers_share_a_bucket_of_a_store_that_sends_no_length(
    two: TemporaryInstallation, bucket: str, line: FaultyServer
) -> None:
    line.script(
        Fault(without_length, "data", times=FOREVER),
        Fault(without_length, "manifest", times=FOREVER),
    )
    assert not two.ingest("acme").failed
    assert sum(request.fault == "without_length" for request in line.log) == 4
    expected = {"payer": Decimal(4), "payer-1": Decimal("11.25"), "payer-2": Decimal("21.5")}
    assert billed(two, "x_Source") == expected
    line.script()
    assert {step.outcome for step in two.ingest("acme").steps} == {"unchanged"}


# --- tenants and registry


def test_the_same_bill_in_two_tenants_stays_apart(
    two: TemporaryInstallation, census: Census
) -> None:
    """The same bytes, account, source, month and id: each tenant replaces only its own bill."""
    take(two, [row("777.77", account=ZEROS)])
    bill = {"prod": Decimal("777.77")}
    assert billed(two) == billed(two, tenant="globex") == bill
    ids = [two.installation.status(tenant)[0].billed_cost for tenant in ("acme", "globex")]
    assert ids == [Decimal("777.77")] * 2
    take(two, [row("1", account=ZEROS)], assembly="two")
    assert billed(two) == {"prod": 1} and billed(two, tenant="globex") == bill


def test_reading_makes_no_tenant(two: TemporaryInstallation, census: Census) -> None:
    deliver(two.data.parent / "acme/cur", [row("1")])
    before = census(two.data), sorted(two.data.rglob("*"))
    for tenant in ("acme", "initech"):  # declared but never ingested; not declared
        for command in (
            ("status", tenant),
            ("query", tenant, "select 1"),
            ("open", tenant),
            ("gaps", tenant),
            ("history", f"{tenant}/payer", MONTH),
            ("diff", f"{tenant}/payer", MONTH),
            ("source", "list", tenant),
            ("project", "list", tenant),
            ("source", "check", f"{tenant}/payer"),
        ):
            code, output = finops(*command)
            assert code in (0, 1), output
            assert code == 1 or tenant == "acme", command
            assert (census(two.data), sorted(two.data.rglob("*"))) == before, command
    assert [tenant.name for tenant in two.installation.registry.tenants()] == ["acme", "globex"]


def test_a_source_removed_while_its_ingest_waits(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """An ingest that waited for the tenant's lock uses the declaration at the end of the wait."""
    deliver(two.data.parent / "acme/cur", [row("1")])
    deliver(tmp_path / "acme/other", [row("2")])
    options = ("--format", "legacy-cur", "--location", str(tmp_path / "acme/other"))
    assert finops("source", "add", "acme/other", *options)[0] == 0
    before = two.installation.registry.tenant("acme")
    waits = threading.Thread(target=two.ingest, args=("acme",))
    with two.installation.writing("acme"):
        waits.start()
        waits.join(0.5)
        assert waits.is_alive()
        remaining = tuple(source for source in before.sources if source.name != "other")
        two.installation.registry.save(before.model_copy(update={"sources": remaining}))
    waits.join(60)
    assert billed(two, "x_Source") == {"payer": 1}
    assert not (two.folder("acme") / "landing/source=other").exists()
