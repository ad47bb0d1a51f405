"""Months missing between a source's first month and now, why they are missing, and the cure.

One tenant whose sources have every kind of gap, next to a tenant without gaps. Keep out: which
deliveries have landed (test_history.py).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from finops_pipeline import clock
from finops_pipeline.tenants.months import shift
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import finops

NOW = clock.this_month()
AGO = [shift(NOW, -months) for months in range(9)]
"""AGO[2] is the month before last."""


def folder(report: Path, month: str) -> Path:
    first, after = (m.replace("-", "") + "01" for m in (month, shift(month, 1)))
    return report / f"{first}-{after}"


def bill(month: str) -> list[dict[str, str]]:
    return [row("3", day=f"{month}-02")]


@pytest.fixture
def two_tenants(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """hooli has every month up to now; initech's sources have gaps."""
    declared = tmp_path / "tenants.yaml"
    declared.write_text(
        f"""
tenants:
- name: initech
  sources:
  - {{name: payer, format: legacy-cur, location: {tmp_path}/initech/cur}}
  - {{name: hand, format: legacy-cur}}
  - {{name: idle, format: cur-2.0}}
  - {{name: far, format: legacy-cur, location: {tmp_path}/initech/far}}
  projects: [{{name: prod, accounts: ["111122223333"]}}]
- name: hooli
  sources: [{{name: payer, format: legacy-cur, location: {tmp_path}/hooli/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""
    )
    for month in AGO[:3]:
        deliver(tmp_path / "hooli/cur", bill(month), month)
    (tmp_path / "initech/far").mkdir(parents=True)
    deliver(tmp_path / "initech/far", bill(AGO[1]), AGO[1])
    payer = tmp_path / "initech/cur"
    deliver(payer, bill(AGO[8]), AGO[8])
    deliver(payer, [row("x", day=f"{AGO[6]}-02")], AGO[6])  # refused: no row can be read
    deliver(payer, [], AGO[5])
    empty.apply(declared)
    empty.ingest("hooli")
    empty.ingest("initech")

    folder(payer, AGO[4]).mkdir()
    deliver(payer, bill(AGO[3]), AGO[3])
    (folder(payer, AGO[3]) / "cur-1.csv.gz").unlink()
    deliver(payer, bill(AGO[2]), AGO[2])
    by_hand = tmp_path / "bill.csv"
    write_csv(by_hand, bill(AGO[2]))
    assert finops("ingest-file", "initech/hand", str(by_hand))[0] == 0
    assert finops("project", "add", "initech/lab", "--account", "444455556666")[0] == 0
    (tmp_path / "initech/far").rename(tmp_path / "initech/moved")
    return empty


def listed_gaps(*arguments: str) -> list[dict[str, str]]:
    exit_code, output = finops("gaps", *arguments, "--format", "csv")
    assert exit_code == 0, output
    return list(csv.DictReader(io.StringIO(output)))


def test_every_gap_has_its_reason_and_cure(two_tenants: TemporaryInstallation) -> None:
    gaps = {(g["source"], g["billing_period"]): g for g in listed_gaps("initech")}
    reasons = {key: gap["why"] for key, gap in gaps.items()}
    assert reasons == {
        ("payer", AGO[8]): "not built",  # since lab was added
        ("payer", AGO[7]): "never delivered",
        ("payer", AGO[6]): "refused",
        ("payer", AGO[5]): "empty",
        ("payer", AGO[4]): "no manifest",
        ("payer", AGO[3]): "still arriving",
        ("payer", AGO[2]): "not ingested",
        ("payer", AGO[1]): "never delivered",
        ("payer", AGO[0]): "never delivered",
        ("hand", AGO[2]): "not built",
        ("hand", AGO[1]): "not imported",
        ("hand", AGO[0]): "not imported",
        ("idle", ""): "nothing yet",
        ("far", AGO[1]): "not built",
        ("far", AGO[0]): "unreachable",
    }
    assert all(gap["detail"] and gap["cure"] for gap in gaps.values())
    assert "is not a number" in gaps["payer", AGO[6]]["detail"]
    assert "there is no such folder" in gaps["far", AGO[0]]["detail"]
    assert "current month" in gaps["payer", AGO[0]]["detail"]

    assert {s.outcome for s in two_tenants.ingest("initech").steps} >= {"landed", "refused"}
    remaining = {(g["source"], g["billing_period"]) for g in listed_gaps("initech")}
    assert ("payer", AGO[2]) not in remaining
    assert ("payer", AGO[8]) not in remaining
    assert {
        g["why"] for g in listed_gaps("initech") if g["billing_period"] in (AGO[4], AGO[3])
    } == {"refused"}


def test_a_tenant_without_gaps_is_reported_as_such_and_scripts_can_check_it(
    two_tenants: TemporaryInstallation,
) -> None:
    assert listed_gaps("hooli") == []
    assert finops("gaps", "hooli", "--fail") == (0, "No month is missing (hooli).\n")
    exit_code, output = finops("gaps")
    assert exit_code == 0
    assert "hooli/" not in output
    assert f"initech/payer {AGO[7]}, {AGO[1]}: " in output  # gaps with the same reason share a line
    assert finops("gaps", "initech", "--fail")[0] == 1
    exit_code, output = finops("gaps", "nobody")
    assert exit_code == 1
    assert "tenant nobody is not known" in output
