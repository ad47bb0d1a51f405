"""Deliveries that cannot be read: each is refused with its reason, the month is served as before.

Put here: damaged copies of generated exports (globex: legacy CUR csv.gz, CUR 2.0 Parquet), ingested
with `finops ingest`. Acme is declared and ingested too, and not a byte of it may change. Keep out:
deliveries of which only a few rows are bad (test_quarantine.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import TemporaryInstallation
from tests.support.globex import COST, MONTH, PERIOD, Globex, ask, finops
from tests.support.tiers import some_every_day


@pytest.fixture
def globex(
    up_to_date: TemporaryInstallation, census: Callable[[Path], dict[str, tuple[int, int]]]
) -> Iterator[Globex]:
    """globex, whose exports a test may damage; acme must not change."""
    before = census(up_to_date.folder("acme"))
    yield Globex(up_to_date, up_to_date.data.parent / "exports")
    assert census(up_to_date.folder("acme")) == before


def _no_cost(g: Globex) -> None:
    records = g.records()
    records[0][g.column(COST)] = "lineItem/Cost"
    g.write(records)


def _other_month(g: Globex) -> None:
    records, at = g.records(), g.column(PERIOD)
    g.write([records[0], *([*r[:at], "2026-09-01T00:00:00Z", *r[at + 1 :]] for r in records[1:])])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def _keys(*keys: str) -> Callable[[Globex], None]:
    return lambda g: g.edit_manifest(reportKeys=list(keys))


KEY = "finops/cur-legacy/20261001-20261101/cur-legacy-1.csv.gz"
MANIFEST = "20261001-20261101/cur-legacy-Manifest.json"
REFUSED: dict[str, tuple[str, Callable[[Globex], object], tuple[str, ...]]] = {
    "no manifest": (
        "legacy",
        lambda g: g.csv_manifest.unlink(),
        ("has no manifest", "cur-legacy/20261001-20261101", "copy the manifest"),
    ),
    "file missing": (
        "legacy",
        lambda g: g.csv.unlink(),
        (KEY, "is not there", "copy the file"),
    ),
    "one file of two missing": (
        "payer",
        lambda g: g.parquet(2).unlink(),
        (
            f"payer/exports/cur2-daily/data/BILLING_PERIOD={MONTH}/cur2-daily-00002.snappy.parquet"
            " is not there",
            "copy the file",
        ),
    ),
    "no cost column": (
        "legacy",
        _no_cost,
        ("cur-legacy-1.csv.gz lacks the column", "UnblendedCost", "Include these columns"),
    ),
    "no cost column in one file of two": (
        "payer",
        lambda g: pq.write_table(
            pq.read_table(g.parquet(2)).drop_columns(["line_item_unblended_cost"]), g.parquet(2)
        ),
        ("cur2-daily-00002.snappy.parquet lacks the column line_item_unblended_cost",),
    ),
    "manifest of another month": (
        "legacy",
        lambda g: g.edit_manifest(billingPeriod={"start": "20260901T000000.000Z"}),
        (MANIFEST, "starts at 20260901T000000.000Z", f"month {MONTH}", "folder of their own month"),
    ),
    "rows of another month": (
        "legacy",
        _other_month,
        (MANIFEST, "none of which can be read", f"is not in {MONTH}", "Check the export's month"),
    ),
    "gz cut short": (
        "legacy",
        lambda g: g.csv.write_bytes(g.csv.read_bytes()[:-9]),
        ("cur-legacy-1.csv.gz is damaged", "Copy or download it again"),
    ),
    "one bit flipped in gz": (
        "legacy",
        lambda g: _flip(g.csv),
        ("cur-legacy-1.csv.gz is damaged", "Copy or download it again"),
    ),
    "parquet cut short": (
        "payer",
        lambda g: g.parquet(1).write_bytes(g.parquet(1).read_bytes()[:-9]),
        ("cur2-daily-00001.snappy.parquet cannot be read", "Copy or download it again"),
    ),
    "header only": (
        "legacy",
        lambda g: g.deliver("legacy", empty=True),
        (MANIFEST, "delivers no rows", "which has 286 published rows", "Check the export"),
    ),
    "header only, parquet": (
        "payer",
        lambda g: g.deliver("payer", empty=True),
        ("delivers no rows", "which has 1354 published rows", "Check the export"),
    ),
    "zero bytes": ("legacy", lambda g: g.csv.write_bytes(b""), ("is empty", "download it again")),
    "two manifests": (
        "legacy",
        lambda g: shutil.copy(
            g.csv_manifest.rename(g.csv_manifest.with_name("one-Manifest.json")),
            g.csv_manifest.with_name("other-Manifest.json"),
        ),
        ("has 2 manifests", "other-Manifest.json", "Keep only the current one"),
    ),
    "a file named twice": ("legacy", _keys(KEY, KEY), (MANIFEST, f"lists {KEY} 2 times", "again")),
    "a key outside the folder": (
        "legacy",
        _keys("finops/20261001-20261101/../../../../acme/payer/x.csv.gz"),
        (MANIFEST, "points outside the report", "again"),
    ),
    "no JSON": (
        "legacy",
        lambda g: g.csv_manifest.write_text("{'assemblyId':"),
        (MANIFEST, "is not readable JSON", "Copy or download the manifest again"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", some_every_day(REFUSED, every=4))
def test_a_refused_delivery_leaves_the_month_as_it_was(globex: Globex, name: str) -> None:
    source, damage, reason_parts = REFUSED[name]
    before, status = globex.served(), globex.status(source)
    backup = shutil.copytree(globex.exports / "globex", globex.exports / "backup")
    damage(globex)

    output = globex.ingest(ok=False)

    after = globex.status(source)
    reason = after.pop("reason")
    assert "a newer delivery was refused: " in reason
    for part in reason_parts:
        assert part in reason, f"{part!r} not in {reason!r}"
        assert part in output
    # The published month is right for its delivery, but AWS has delivered a newer one since.
    assert (status["state"], after["state"]) == ("reconciled", "outdated")
    assert {**after, "reason": status["reason"], "state": status["state"]} == status
    assert globex.served() == before

    shutil.rmtree(globex.exports / "globex")
    backup.rename(globex.exports / "globex")
    assert " refused" not in globex.ingest()
    assert globex.status(source)["reason"] == status["reason"]


def test_the_command_exits_with_1_and_names_the_refused_month(globex: Globex) -> None:
    globex.write(globex.records()[:1])
    done = globex.made.finops("ingest", "globex", ok=False)
    assert done.returncode == 1
    assert f"finops: landing globex/legacy {MONTH} refused: {MANIFEST} delivers no" in done.stderr


@pytest.mark.parametrize("source", some_every_day(["legacy", "payer"]))
def test_a_first_delivery_with_a_header_only_is_an_empty_month(
    fresh: TemporaryInstallation, own_estate: Path, truth: dict[str, Any], source: str
) -> None:
    assert finops("ingest", "acme", "--month", MONTH)[0] == 0
    globex = Globex(fresh, own_estate)
    globex.deliver(source, empty=True)
    assert f"landing globex/{source} {MONTH} empty" in globex.ingest()
    status = globex.status(source)
    assert (status["state"], status["rows_read"]) == ("empty", 0)
    assert "a header and no rows" in status["reason"]
    assert not ask(f"select 1 from costs where x_Source = '{source}'")

    globex.deliver(source)
    globex.ingest()
    billed_cost = truth["tenants"]["globex"]["sources"][source][MONTH]["billed_cost"]
    assert Decimal(globex.status(source)["billed_cost"]) == Decimal(billed_cost)
