"""The marts against the delivered files, recomputed without SQL; how comparisons are judged.

Put here: amortized and unblended cost by Python's own decimals from the delivered files, and the
parts of `make conformance` that need no other environment. Keep out: the validator and the
converter themselves (`make conformance` runs them), numbers against the truth (test_truth.py).
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conformance import compare, converter, waivers
from conformance.bills import FORMS, Ingested, bill_files, ingest_estate
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.synthetic_bills import (
    LOCATIONS,
    cur_entry,
    current_manifests,
    focus_entry,
    number,
    read_bill,
    read_file,
)

TENANTS = ("acme", "globex")
MONTH = "2026-10"
Key = tuple[str, str, str]
Sums = dict[Key, tuple[Decimal, Decimal]]


def service(row: dict[str, Any]) -> str:
    """The service as AWS names it on the line, or its product code."""
    named = row.get("product_product_name") or dict(row.get("product") or ()).get("product_name")
    return str(named or row["line_item_product_code"])


def from_files(estate: Path, tenant: str) -> Sums:
    """(month, account, service) -> unblended and amortized cost of all the tenant's bills."""
    costs: dict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for source in (name for owner, name in LOCATIONS if owner == tenant):
        for month, manifest in current_manifests(estate, tenant, source).items():
            for row in read_bill(estate, manifest):
                is_focus = "ChargeCategory" in row
                entry = focus_entry(row) if is_focus else cur_entry(row)
                name = row["ServiceName"] if is_focus else service(row)
                sums = costs[month, entry["account"], name]
                sums[0] += entry["billed"]
                sums[1] += entry["effective"]
    return {key: (billed, effective) for key, (billed, effective) in costs.items()}


def from_mart(made: TemporaryInstallation, tenant: str, mart: str, cost: str) -> dict[Key, Decimal]:
    sql = (
        f"select billing_period, sub_account_id, service_name, sum({cost}) from {mart} group by all"
    )
    with reading(made.installation.folder(tenant)) as connection:
        return {row[:3]: row[3] for row in connection.execute(sql).fetchall()}


@pytest.mark.parametrize("tenant", TENANTS)
def test_marts_are_the_files_computed_once_more(
    built: TemporaryInstallation, estate: Path, tenant: str
) -> None:
    sums = from_files(estate, tenant)
    unblended = {key: billed for key, (billed, _) in sums.items()}
    amortized = {key: effective for key, (_, effective) in sums.items()}
    assert len(sums) > 100 and unblended != amortized
    assert from_mart(built, tenant, "monthly_costs", "billed_cost") == unblended
    assert from_mart(built, tenant, "monthly_bill", "billed_cost") == unblended
    assert from_mart(built, tenant, "monthly_costs", "effective_cost") == amortized
    assert from_mart(built, tenant, "daily_costs", "effective_cost") == amortized


# ---- how other conversions are compared


@pytest.fixture(scope="module")
def cur_2(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Both tenants' open month as CUR 2.0; globex' states net columns."""
    return ingest_estate("cur-2.0", tmp_path_factory.mktemp("conformance"), (MONTH,))


def as_peer(made: Ingested, tenant: str) -> converter.Sums:
    """The sums that focus_converter should give: net cost where stated, negations included."""
    costs: dict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in (row for file in bill_files(made, tenant, MONTH) for row in read_file(file)):
        entry, net = cur_entry(row), row.get("line_item_net_unblended_cost")
        sums = costs[entry["account"], row["line_item_product_code"], str(entry["day"])]
        sums[0] += number(row, "line_item_unblended_cost") if net is None else net
        sums[1] += entry["effective"]
    return {key: (billed, effective) for key, (billed, effective) in costs.items()}


def test_a_difference_needs_its_own_explanation(cur_2: Ingested) -> None:
    gross = as_peer(cur_2, "acme")
    lines = list(compare.compare_with_converter(cur_2, "acme", MONTH, gross))
    assert [(line.differing, line.unexplained) for line in lines] == [(0, 0), (0, 0)]
    net = as_peer(cur_2, "globex")
    billed, effective = compare.compare_with_converter(cur_2, "globex", MONTH, net)
    assert billed.differing > 100 and billed.unexplained == effective.differing == 0
    assert billed.our_total - billed.peer_total > 1 and "net" in billed.explanation
    # Rounding of doubles is explained, a thousandth of a cent is not.
    key = max(net, key=lambda key: net[key][1])
    for more, unexplained in ((Decimal("1e-15"), 0), (Decimal("1e-5"), 1)):
        changed = net | {key: (net[key][0], net[key][1] + more)}
        (_, effective) = compare.compare_with_converter(cur_2, "globex", MONTH, changed)
        assert (effective.differing, effective.unexplained) == (1, unexplained)
    lost = {other: sums for other, sums in net.items() if other != key}
    assert [
        line.unexplained for line in compare.compare_with_converter(cur_2, "globex", MONTH, lost)
    ] == [
        1,
        1,
    ]


def test_polars_must_agree_to_the_last_decimal(cur_2: Ingested) -> None:
    costs: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in (row for file in bill_files(cur_2, "acme", MONTH) for row in read_file(file)):
        entry = cur_entry(row)
        costs[entry["account"], service(row)][0] += entry["billed"]
        costs[entry["account"], service(row)][1] += entry["effective"]
    rows = [
        {"account": key[0], "service": key[1], "unblended": str(sums[0]), "amortized": str(sums[1])}
        for key, sums in costs.items()
    ]
    lines = list(compare.compare_with_polars(cur_2, "acme", MONTH, rows))
    assert [(line.keys, line.differing) for line in lines] == [(len(rows), 0)] * 2
    rows[0]["amortized"] = str(Decimal(rows[0]["amortized"]) + Decimal("1e-18"))
    lines = list(compare.compare_with_polars(cur_2, "acme", MONTH, rows))
    assert [line.unexplained for line in lines] == [0, 1]


# ---- the peer as a process


def test_a_peer_that_hangs_is_killed_with_its_children(
    cur_2: Ingested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As focus_converter does after an error: it reports it and waits for its writers forever."""
    tool = tmp_path / "focus-converter"
    tool.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        f"child = subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "print('a column is not there', flush=True)\nchild.wait()\n"
    )
    tool.chmod(0o755)
    monkeypatch.setattr(converter, "TIMEOUT_SECONDS", 1)
    with pytest.raises(RuntimeError, match=r"still running after 1 s\na column is not there"):
        converter.convert(tool, bill_files(cur_2, "acme", MONTH), tmp_path / "scratch")
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while not gone(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert gone(child)


def gone(process: int) -> bool:
    """Whether a process has ended (a zombie has, where nobody collects orphans)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{process}/stat")
    return state.exists() and ") Z " in state.read_text()


# ---- waivers


FINDINGS = {
    "rows": 3,
    "failures": {"ListCost-C-009-C": {"requirement": "x", "rows": 1, "examples": []}},
}
WAIVER = waivers.Waiver("corrected", "ListCost-C-009-C", "known", ("cur-2.0",))


def test_a_waiver_covers_a_single_rule_form_and_model() -> None:
    (failure,) = waivers.read_failures("corrected", "cur-2.0", FINDINGS)
    assert waivers.find_reason(failure, [WAIVER]) == "known"
    for other in ({"form": "focus-1.2"}, {"model": "published"}, {"rule": "ListCost-C-008-M"}):
        assert waivers.find_reason(replace(failure, **other), [WAIVER]) == ""
    assert waivers.find_reason(replace(failure, form="any"), [replace(WAIVER, forms=())]) == "known"
    (unreadable,) = waivers.read_failures(
        "corrected", "cur-2.0", {"rows": 0, "error": "no such file"}
    )
    assert (
        waivers.find_reason(unreadable, [WAIVER]) == "" and unreadable.requirement == "no such file"
    )


def test_an_unused_waiver_is_reported() -> None:
    failures = list(waivers.read_failures("corrected", "cur-2.0", FINDINGS))
    assert waivers.list_unused_waivers([WAIVER], failures, FORMS) == []
    (description,) = waivers.list_unused_waivers(
        [replace(WAIVER, forms=())], failures, ("cur-2.0", "focus-1.2")
    )
    assert description == "ListCost-C-009-C (corrected) did not fail in focus-1.2"


def test_every_waiver_has_a_reason_and_valid_forms(tmp_path: Path) -> None:
    declared = waivers.read_waivers()
    assert {form for waiver in declared for form in waiver.forms} <= FORMS.keys()
    assert {waiver.model for waiver in declared} == set(waivers.MODELS)
    entry = '[[corrected]]\nrule = "A-C-001-M"\n'
    for text in (entry, f'{entry}why = "x"\n{entry}why = "y"\n'):
        (tmp_path / "waivers.toml").write_text(text)
        with pytest.raises(ValueError, match="A-C-001-M has no reason or is listed twice"):
            waivers.read_waivers(tmp_path / "waivers.toml")
