"""`finops status TENANT MONTH`: one screen that says whether a month can be trusted, and why.

Put here: the screen, its JSON, and the line below answers of other commands. Keep out: how
comparisons come about (test_reconciliation.py, test_invoice.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from finops_pipeline.cli.app import app
from finops_pipeline.cli.status import LINES, WIDTH
from finops_pipeline.contracts.cost_explorer import Metric
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.second_opinion import (
    DAYS,
    DEV,
    MONTH,
    PROD,
    S3,
    Two,
    built_two,
    costs,
    declare,
    lines,
    two,
)

__all__ = ["built_two", "two"]


def screen(made: TemporaryInstallation, tenant: str = "acme", month: str = MONTH) -> str:
    """What `finops status` shows; it fits one screen, whatever it says."""
    code, said = finops("status", tenant, month, data=made.data)
    assert code == 0, said
    shown = said.splitlines()
    assert len(shown) <= LINES
    assert max(map(len, shown)) <= WIDTH
    return said


def as_json(
    made: TemporaryInstallation, tenant: str = "acme", month: str = MONTH
) -> dict[str, Any]:
    code, said = finops("status", tenant, month, "--format", "json", data=made.data)
    assert code == 0, said
    (loaded,) = json.loads(said, parse_float=Decimal, parse_int=Decimal)
    found: dict[str, Any] = loaded
    return found


def test_a_month_that_can_be_trusted(two: Two) -> None:
    two.explorer(costs(), metrics=(Metric.UNBLENDED, Metric.AMORTIZED))
    assert finops("invoice", "set", "acme/payer", MONTH, "726.00", data=two.made.data)[0] == 0
    said = " ".join(screen(two.made).split())
    assert said.startswith("2026-09 of acme can be trusted: every row of its bill is in the")
    assert "; Cost Explorer agrees; the invoice agrees" in said
    assert "payer USD: reconciled rows 120 read, 120 kept, 0 in quarantine" in said
    assert "files agrees: billed cost 726.000000726 and 726.000000726" in said
    assert "manifest not checked: AWS's manifests state no row counts" in said
    assert "invoice agrees: billed cost 726.000000726 and 726, 0.000000726 apart" in said
    assert "finops invoice" not in said and "cost-explorer.md" not in said, "nothing is missing"
    for file in two.made.folder("acme").rglob("*.parquet"):
        file.write_bytes(b"x" * file.stat().st_size)
    assert " ".join(screen(two.made).split()) == said, "it reads no Parquet"
    told = as_json(two.made)
    assert told["verdict"] == "trusted"
    assert told["checks"] > 10
    assert told["failed_checks"] == []
    states = {(one["against"], one["cost_basis"]): one["state"] for one in told["reconciliation"]}
    assert states == {
        ("files", "rows"): "agrees",
        ("files", "billed_cost"): "agrees",
        ("manifest", None): "not checked",
        ("cost explorer", "billed_cost"): "agrees",
        ("cost explorer", "effective_cost"): "agrees",
        ("invoice", "billed_cost"): "agrees",
    }


def test_what_was_not_checked_is_said(two: Two) -> None:
    said = " ".join(screen(two.made).split())
    assert "can be trusted" in said
    assert "Cost Explorer was not checked; the invoice was not checked" in said
    assert "Cost Explorer not checked: no Cost Explorer source has days of this month" in said
    assert "finops invoice set acme/payer 2026-09 AMOUNT" in said


def test_a_month_that_differs_tells_the_amounts_first(two: Two) -> None:
    changed = costs()
    changed[DAYS[4], DEV, S3] += Decimal("1.25")
    two.explorer(changed)
    said = " ".join(screen(two.made).split())
    assert said.startswith(
        "2026-09 of acme cannot be trusted yet: payer differs (billed cost differs from Cost"
        " Explorer (explorer) by -1.25 USD: 726.000000726 in the charges, 727.250000726 in Cost"
        " Explorer"
    )
    assert f"{DEV} {S3}, differs: explorer, billed cost" in said
    assert "docs/runbook.md, A month differs" in said
    assert as_json(two.made)["verdict"] == "not_yet"
    assert "can be trusted" in screen(two.made, "globex")


def test_a_running_month_is_right_so_far(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(two.folder / "acme/cur", [row("1", day="2035-01-05")], "2035-01")
    assert not two.made.ingest("acme").failed
    said = " ".join(screen(two.made, month="2035-01").split())
    assert said.startswith("2035-01 of acme is right so far, but AWS may still change it: every")
    assert "finops ingest acme on or after 2035-02-15" in said
    assert "finops invoice set acme" not in said, "AWS has sent none yet"
    assert as_json(two.made, month="2035-01")["verdict"] == "open"


def test_nothing_that_was_refused_or_lost_hides(two: Two) -> None:
    bad = [*lines(costs()), row("no number", day=DAYS[0])]
    deliver(two.folder / "acme/cur", bad, MONTH, "two")
    two.made.ingest("acme")
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: payer differs (1 rows are in quarantine" in said
    assert "121 read, 120 kept, 1 in quarantine" in said
    manifest = deliver(two.folder / "acme/cur", [row("1", day="2026-07-05")], "2026-07")
    manifest.write_text("{}")
    assert two.made.ingest("acme").failed
    said = " ".join(screen(two.made, month="2026-07").split())
    assert "cannot be trusted yet: payer was refused (" in said
    code, said = finops("status", "acme", "2026-06", data=two.made.data)
    assert code == 1
    assert "nothing of 2026-06 has landed for tenant acme" in said


def test_a_month_of_cost_explorer_alone_has_no_bill(two: Two) -> None:
    two.explorer({("2026-08-03", DEV, S3): Decimal(1)})
    said = " ".join(screen(two.made, month="2026-08").split())
    assert "cannot be trusted yet: no bill of this month has landed" in said


def test_many_sources_still_fit(two: Two) -> None:
    names = [f"more-{number}" for number in range(6)]
    more = [{"name": n, "format": "legacy-cur", "location": f"acme/{n}"} for n in names]
    declare(two.made, two.folder, "acme", *more)
    for number, name in enumerate(names, start=2):
        more_of = {key: cost * number for key, cost in costs().items()}
        deliver(two.folder / "acme" / name, lines(more_of), MONTH)
    two.made.ingest("acme")
    said = screen(two.made)
    assert "can be trusted: every row of its 7 bills" in " ".join(said.split())
    assert "more lines: --format json shows all" in said
    assert said.count(" USD: reconciled") == 5, "as many as there is room for, a line each"
    assert "checks " in said


def test_failed_checks_and_broken_rules_are_named(two: Two) -> None:
    """In the file itself: no bill that lands fails a check as things are."""
    assert "FOCUS conformance" in screen(two.made)
    with duckdb.connect(str(two.made.installation.folder("acme").warehouse)) as connection:
        connection.execute("drop table if exists conformance")
    assert "FOCUS conformance not checked" in screen(two.made)
    with duckdb.connect(str(two.made.installation.folder("acme").warehouse)) as connection:
        connection.execute(
            "update check_results set state = 'failed', rows = 3, example = '{\"a\": 1.50}'"
            " where check_name in ('commitments_amortize', 'effective_equals_lines')"
        )
        connection.execute(
            "create table conformance (project varchar, billing_period varchar, source varchar,"
            " rule varchar, says varchar, is_known_gap boolean, rows bigint, example varchar)"
        )
        connection.executemany(
            "insert into conformance values (?, ?, 'payer', ?, 'a rule', ?, ?, ?)",
            [
                ("prod", MONTH, "R7", False, 2, '{"ChargeClass": "x"}'),
                ("unassigned", MONTH, "R7", False, 5, None),
                ("prod", MONTH, "R9", True, 9, None),
                ("prod", "2026-08", "R1", False, 1, None),
            ],
        )
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: the check effective_equals_lines failed" in said
    assert "commitments_amortize: 3 rows, for example a=1.50" in said
    assert "FOCUS conformance rules broken: 1, known gaps: 1 R7: 7 rows, for example" in said
    assert f"finops check acme --month {MONTH}" in said


def test_checks_that_change_no_sum_are_told(two: Two) -> None:
    """Usage that AWS bills late is kept as it is billed."""
    late = lines({("2026-08-31", PROD, S3): Decimal(1)})
    for line in late:
        line["bill/BillingPeriodStartDate"] = f"{MONTH}-01T00:00:00Z"
    deliver(two.folder / "acme/cur", lines(costs()) + late, MONTH, "two")
    assert not two.made.ingest("acme").failed
    said = " ".join(screen(two.made).split())
    assert "can be trusted: every row" in said
    assert "charges_in_period found rows, but no sum is affected" in said
    assert f"finops check acme --month {MONTH} lists the rows" in said


def test_files_that_changed_since_are_named(two: Two) -> None:
    (file,) = two.made.folder("acme").glob("costs/project=prod/*/charges.parquet")
    kept = file.read_bytes()
    place = f"costs/project=prod/billing_period={MONTH}/charges.parquet"
    for change in (lambda: file.write_bytes(kept[:-1]), file.unlink):
        change()
        said = screen(two.made)
        assert "cannot be trusted yet" in said and f"{place} has changed" in " ".join(said.split())
        assert "can be trusted" in screen(two.made, "globex")
    assert not two.made.ingest("acme").failed
    assert "can be trusted" in screen(two.made)


def test_a_month_that_no_check_was_run_on(two: Two) -> None:
    with duckdb.connect(str(two.made.installation.folder("acme").warehouse)) as connection:
        connection.execute("delete from check_results where check_name = 'charges_equal_lines'")
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: not every check has been run on it" in said
    two.made.installation.folder("acme").warehouse.unlink()
    assert "cannot be trusted yet: not every check has been run on it" in " ".join(
        screen(two.made).split()
    )
    assert not two.made.ingest("acme").failed
    assert "can be trusted" in screen(two.made)


def test_a_newer_delivery_that_was_refused(two: Two) -> None:
    """The published one is right as far as it goes; AWS has said more since."""
    manifest = deliver(two.folder / "acme/cur", lines(costs()), MONTH, "two")
    (bill,) = manifest.parent.glob("*.csv.gz")
    bill.write_bytes(bill.read_bytes()[:40])
    assert two.made.ingest("acme").failed
    assert two.status().state == "open"
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: a newer delivery of payer was refused" in said


def test_a_bill_that_has_not_come_yet(two: Two) -> None:
    """A second payer had August and has nothing of September."""
    declare(two.made, two.folder, "acme",
            {"name": "second", "format": "legacy-cur", "location": "acme/second"})  # fmt: skip
    early = lines({("2026-08-03", PROD, S3): Decimal(900)})
    deliver(two.folder / "acme/second", early, "2026-08")
    assert not two.made.ingest("acme").failed
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: second has not delivered this month yet" in said
    deliver(two.folder / "acme/second", lines({(DAYS[0], PROD, S3): Decimal(5)}), MONTH)
    assert not two.made.ingest("acme").failed
    assert "can be trusted: every row of its 2 bills" in " ".join(screen(two.made).split())


def test_one_bill_through_two_sources_counts_double(two: Two) -> None:
    declare(two.made, two.folder, "acme",
            {"name": "again", "format": "legacy-cur", "location": "acme/again"})  # fmt: skip
    deliver(two.folder / "acme/again", lines(costs()), MONTH)
    assert not two.made.ingest("acme").failed
    said = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: the check bills_apart failed" in said
    assert "can be trusted" in screen(two.made, "globex")


def test_rules_that_are_broken_are_told_and_change_no_sum(two: Two) -> None:
    with duckdb.connect(str(two.made.installation.folder("acme").warehouse)) as connection:
        connection.execute("delete from conformance")
    assert "FOCUS conformance no rule is broken" in screen(two.made)
    with duckdb.connect(str(two.made.installation.folder("acme").warehouse)) as connection:
        connection.execute(
            "insert into conformance values"
            f" ('{MONTH}', 'prod', 'payer', 'R7', 'a rule', false, 2, '{{}}'),"
            f" ('{MONTH}', 'prod', 'payer', 'R9', 'a rule', true, 2, '{{}}')"
        )
    said = " ".join(screen(two.made).split())
    assert "can be trusted: every row" in said
    assert "charges break FOCUS rules (1), but no sum is affected." in said
    assert f"finops validate acme --month {MONTH}" in said


def test_answers_name_months_that_are_not_reconciled(two: Two, tmp_path: Path) -> None:
    early = [row("1", day="2026-08-05"), row("no number", day="2026-08-06")]
    deliver(two.folder / "acme/cur", early, "2026-08")
    two.made.ingest("acme")
    note = "finops: not reconciled: 2026-08 differs (payer); see finops status acme 2026-08\n"
    asked = "select billing_period, sum(billed_cost) as b from monthly_costs group by all"
    out, said = both(two, "query", "acme", asked, "--format", "json")
    assert said == note
    assert len(json.loads(out)) == 2
    parquet = ("--format", "parquet", "-o", str(tmp_path / "answer.parquet"))
    assert both(two, "query", "acme", asked, *parquet) == ("", note)
    assert both(two, "query", "acme", "select sum(BilledCost) from costs")[1] == note
    one = f"select * from monthly_costs where billing_period = '{MONTH}'"
    for quiet in (one, "select 1", "from data_status"):
        assert both(two, "query", "acme", quiet, "--format", "csv")[1] == ""
    deliver(two.folder / "acme/cur", [*early, row("2", day="2026-08-07")], "2026-08", "two")
    two.made.ingest("acme")
    for command in ("history", "diff"):
        for form in ("table", "json"):
            told = both(two, command, "acme/payer", "2026-08", "--format", form)[1]
            assert told.splitlines(keepends=True)[-1] == note
        assert "not reconciled" not in both(two, command, "acme/payer", MONTH)[1]
    run = ("queries", "run", "acme", "service_categories")
    assert both(two, *run)[1] == note
    assert both(two, *run, "--from", MONTH)[1] == ""
    manifest = deliver(two.folder / "acme/cur", early, "2026-07")
    manifest.write_text("{}")
    two.made.ingest("acme")
    out, said = both(two, *run, "--to", "2026-07", "--format", "csv")
    assert len(out.splitlines()) == 1, "the header; the answer has nothing of July"
    assert (
        said == "finops: not reconciled: 2026-07 refused (payer); see finops status acme 2026-07\n"
    )
    assert both(two, "query", "globex", asked)[1] == ""


def both(two: Two, *words: str) -> tuple[str, str]:
    """What a command writes to stdout and to stderr."""
    done = CliRunner().invoke(app, list(words), env={"FINOPS_DATA": str(two.made.data)})
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr
