"""Deliveries of the synthetic estate one by one: repeated, restated, empty, growing, refused.

Put here: tests of single deliveries and of how numbers are written. Keep out: the whole estate
(test_synthetic.py), readers (synthetic_bills.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery, write_estate
from finops_pipeline.synthetic.packing import number_text
from finops_pipeline.synthetic.parquet_export import as_double
from tests.support.synthetic_bills import (
    LAST,
    SEED,
    SOURCES,
    Row,
    data_files,
    digests,
    entries_of,
    read_bill,
)


def test_two_writes_are_identical_and_another_seed_is_not(tmp_path: Path) -> None:
    for name, seed in (("one", SEED), ("two", SEED), ("other", SEED + 1)):
        write_estate(tmp_path / name, seed=seed, last_month=LAST, months=1)
    first = digests(tmp_path / "one")
    assert first == digests(tmp_path / "two")
    other = digests(tmp_path / "other")
    changed = {name for name, digest in first.items() if other.get(name) != digest}
    assert changed == set(first) - {"tenants.yaml"}


@pytest.mark.parametrize(("tenant", "source"), SOURCES)
def test_a_restatement_changes_its_own_month_only(tmp_path: Path, tenant: str, source: str) -> None:
    def deliver(month: str, **options: Any) -> Any:
        return write_delivery(
            tmp_path,
            DeliveryRequest(
                seed=SEED, last_month=LAST, tenant=tenant, source=source, month=month, **options
            ),
        )

    first, _ = deliver("2026-08"), deliver(LAST)
    identity = json.loads(first.manifest.read_text(encoding="utf-8"))
    before = digests(tmp_path)
    second = deliver("2026-08", restatement=1)
    after = digests(tmp_path)
    assert second.manifest == first.manifest
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed
    assert all("2026-08" in name or "20260801" in name for name in changed)
    renewed = json.loads(second.manifest.read_text(encoding="utf-8"))
    word = "assemblyId" if "assemblyId" in identity else "executionId"
    assert renewed[word] != identity[word]
    assert second.truth["rows"] == first.truth["rows"] + 1
    for kind in ("Usage", "Credit"):
        kinds = [delivery.truth["by_line_item_type"][kind] for delivery in (first, second)]
        assert kinds[0][1] != kinds[1][1], kind
    rows = entries_of(read_bill(tmp_path, second.manifest))
    assert Decimal(second.truth["billed_cost"]) == sum(row["billed"] for row in rows)
    assert second.truth["by_commitment"] == first.truth["by_commitment"]


@pytest.mark.parametrize(("tenant", "source"), SOURCES)
def test_an_empty_delivery_has_columns_and_no_rows(
    tmp_path: Path, tenant: str, source: str
) -> None:
    empty = write_delivery(
        tmp_path,
        DeliveryRequest(
            seed=SEED, last_month=LAST, tenant=tenant, source=source, month=LAST, empty=True
        ),
    )
    (file,) = data_files(tmp_path, empty.manifest)
    assert file.is_file()
    assert read_bill(tmp_path, empty.manifest) == []
    assert (empty.truth["rows"], empty.truth["billed_cost"]) == (0, "0")


def test_the_open_month_grows_without_changing_its_past(tmp_path: Path) -> None:
    def usage(days: int) -> list[Row]:
        written = write_delivery(
            tmp_path,
            DeliveryRequest(
                seed=SEED, last_month=LAST, tenant="acme", source="payer", month=LAST, days=days
            ),
        )
        rows = read_bill(tmp_path, written.manifest)
        return [{k: v for k, v in row.items() if k not in {"identity_line_item_id"}}
                for row in rows if row["line_item_line_item_type"] == "Usage"]  # fmt: skip

    early, later = usage(5), usage(6)
    assert [row for row in later if row["line_item_usage_start_date"] < "2026-09-06"] == early
    assert len(later) > len(early)


def test_bad_requests_are_refused_with_both_values(tmp_path: Path) -> None:
    request: Row = {"seed": SEED, "last_month": LAST, "tenant": "acme", "source": "payer"}
    with pytest.raises(ValueError, match=r"2026-10.*2026-09"):
        write_delivery(tmp_path, DeliveryRequest(**request, month="2026-10"))
    with pytest.raises(ValueError, match=r"31, expected 1\.\.30"):
        write_delivery(tmp_path, DeliveryRequest(**request, month=LAST, days=31))
    with pytest.raises(KeyError, match=r"initech.*acme"):
        write_delivery(tmp_path, DeliveryRequest(**{**request, "tenant": "initech"}, month=LAST))
    with pytest.raises(KeyError, match=r"nowhere.*payer"):
        write_delivery(tmp_path, DeliveryRequest(**{**request, "source": "nowhere"}, month=LAST))
    with pytest.raises(ValueError, match="0, expected at least 1"):
        write_estate(tmp_path, seed=SEED, last_month=LAST, months=0)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_written_in_the_format_of_aws() -> None:
    assert number_text(Decimal("1.05E-7")) == "1.05E-7"
    assert number_text(Decimal("0.0000010")) == "0.000001"
    assert number_text(Decimal("2E+3")) == "2000"
    assert number_text(Decimal("0E-10")) == "0.0"
    assert as_double(Decimal("0.1")) == 0.1
    with pytest.raises(ValueError, match="15 digits"):
        as_double(Decimal("0.1234567890123456"))
