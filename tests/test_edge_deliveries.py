"""Deliveries, stores and registries that others stumbled over: see docs/decisions/0026.

Covers: many files, kinds of files, manifests that go, several reports and payers in one place,
a store that tells no length, what reading leaves, a source that goes. Keep out: what stands in a
bill (test_edge_cases.py).
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
def test_files_of_a_kind_that_is_not_read_are_refused(
    two: TemporaryInstallation, ending: str
) -> None:
    folder = two.data.parent / f"acme/cur/{FOLDER}"
    manifest(folder, [f"cur-1{ending}"])
    (folder / f"cur-1{ending}").write_bytes(b"x")
    (step,) = two.ingest("acme").failed
    assert f"cur-1{ending} is of no kind that is read" in step.reason
    assert ".csv.gz" in step.reason


@pytest.mark.parametrize("good", [True, False], ids=["good file", "damaged file"])
def test_a_manifest_that_goes_while_its_files_are_read(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    """Nothing is published; and what is wrong with a file is told before what went later."""
    take(two, [row("1")])
    gone = deliver(two.data.parent / "acme/cur", [row("2")], assembly="two")
    if not good:
        bill = gone.with_name("cur-1.csv.gz")
        bill.write_bytes(bill.read_bytes()[:-5])
    fetch = LocalFolder.fetch_all

    def fetch_and_lose(self: LocalFolder, *words: Any) -> Any:
        gone.unlink(missing_ok=True)
        return fetch(self, *words)

    monkeypatch.setattr(LocalFolder, "fetch_all", fetch_and_lose)
    (step,) = two.ingest("acme").failed
    said = "cur-Manifest.json changed while it was read" if good else "cur-1.csv.gz is damaged"
    assert said in step.reason
    assert billed(two) == {"prod": 1}


def test_a_disk_too_small_for_the_text_of_a_bill(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for the packed file, not for what it inflates to."""
    bill = deliver(two.data.parent / "acme/cur", [row("1")] * 5000).with_name("cur-1.csv.gz")
    size = bill.stat().st_size
    usage = shutil.disk_usage("/")._replace(free=2 * size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (step,) = two.ingest("acme").failed
    assert f"and the disk of {two.data}" in step.reason and f"{2 * size} free" in step.reason
    monkeypatch.undo()
    assert "cur-1.csv" not in str(sorted(two.data.rglob("*")))


def test_several_reports_in_one_place(two: TemporaryInstallation, tmp_path: Path) -> None:
    """A location that holds several reports feeds a source of a report's name, or is refused."""
    place, none = tmp_path / "acme/several", tmp_path / "acme/none"
    for name, cost in (("daily", "1"), ("hourly", "2")):
        deliver(place / name, [row(cost)])
    none.mkdir()
    for name, where in (("any", place), ("hourly", place), ("none", none)):
        words = ("--format", "legacy-cur", "--location", str(where))
        assert finops("source", "add", f"acme/{name}", *words)[0] == 0
    deliver(tmp_path / "acme/cur", [row("4")])
    of_any, of_none = (step.reason for step in two.ingest("acme").failed)
    assert "contains several reports: daily, hourly" in of_any
    assert "declare a source for each of the others" in of_any
    assert "acme/none contains no billing period (it contains: nothing)" in of_none
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
    store.bring(tmp_path / "both", "two-payers")
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
    deliver(tmp_path / "acme/cur", [row("4")])
    return "two-payers"


def without_length(to: Exchange) -> None:
    """The whole body, and its length nowhere said: it ends where the connection ends."""
    answer = to.forward()
    to.asked.status = answer.status
    to.send_response(answer.status)
    for name, value in answer.headers.items():
        to.send_header(name, value)
    to.send_header("Connection", "close")
    to.end_headers()
    to.send(answer.body)
    to.hang_up()


def test_two_payers_in_one_bucket_from_a_store_that_tells_no_length(
    two: TemporaryInstallation, bucket: str, line: FaultyServer
) -> None:
    line.script(
        Fault(without_length, "data", times=FOREVER),
        Fault(without_length, "manifest", times=FOREVER),
    )
    assert not two.ingest("acme").failed
    assert sum(asked.fault == "without_length" for asked in line.log) == 4
    found = {"payer": Decimal(4), "payer-1": Decimal("11.25"), "payer-2": Decimal("21.5")}
    assert billed(two, "x_Source") == found
    line.script()
    assert {step.outcome for step in two.ingest("acme").steps} == {"unchanged"}


# --- tenants and registry


def test_the_same_bill_in_two_tenants_stays_apart(
    two: TemporaryInstallation, census: Census
) -> None:
    """The same bytes, account, source, month and id: each counts its own, and forgets it alone."""
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
    for tenant in ("acme", "initech"):  # declared and never ingested; not known at all
        for words in (
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
            code, said = finops(*words)
            assert code in (0, 1), said
            assert code == 1 or tenant == "acme", words
            assert (census(two.data), sorted(two.data.rglob("*"))) == before, words
    assert [tenant.name for tenant in two.installation.registry.tenants()] == ["acme", "globex"]


def test_a_source_removed_while_its_ingest_waits(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """Who waits for the tenant's lock works by what is declared when the wait is over."""
    deliver(tmp_path / "acme/cur", [row("1")])
    deliver(tmp_path / "acme/other", [row("2")])
    words = ("--format", "legacy-cur", "--location", str(tmp_path / "acme/other"))
    assert finops("source", "add", "acme/other", *words)[0] == 0
    before = two.installation.registry.tenant("acme")
    waits = threading.Thread(target=two.ingest, args=("acme",))
    with two.installation.writer("acme"):
        waits.start()
        waits.join(0.5)
        assert waits.is_alive()
        left = tuple(source for source in before.sources if source.name != "other")
        two.installation.registry.save(before.model_copy(update={"sources": left}))
    waits.join(60)
    assert billed(two, "x_Source") == {"payer": 1}
    assert not (two.folder("acme") / "landing/source=other").exists()
