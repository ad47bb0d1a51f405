"""`finops status TENANT MONTH`: one screen that says whether a month can be trusted, and why.

Put here: the screen, its JSON, and the note below answers of other commands. Keep out: how
comparisons are made (test_reconciliation.py, test_invoice.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finops_pipeline.application.gaps import list_gaps
from finops_pipeline.cli.app import app
from finops_pipeline.cli.status import LINES
from finops_pipeline.cli.text_table import USUAL_WIDTH
from finops_pipeline.contracts.cost_explorer import Metric
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops
from tests.support.published_files import (
    changing_tables,
    overwrite,
    published_file,
    published_files,
)
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
    """Run `finops status`; returns its output, which must always fit on a screen."""
    code, output = finops("status", tenant, month, data=made.data)
    assert code == 0, output
    screen_lines = output.splitlines()
    assert len(screen_lines) <= LINES
    assert max(map(len, screen_lines)) <= USUAL_WIDTH
    return output


def as_json(
    made: TemporaryInstallation, tenant: str = "acme", month: str = MONTH
) -> dict[str, Any]:
    code, output = finops("status", tenant, month, "--format", "json", data=made.data)
    assert code == 0, output
    (loaded,) = json.loads(output, parse_float=Decimal, parse_int=Decimal)
    status: dict[str, Any] = loaded
    return status


def test_a_month_that_can_be_trusted(two: Two) -> None:
    two.explorer(costs(), metrics=(Metric.UNBLENDED, Metric.AMORTIZED))
    assert finops("invoice", "set", "acme/payer", MONTH, "726.00", data=two.made.data)[0] == 0
    text = " ".join(screen(two.made).split())
    assert text.startswith("2026-09 of acme can be trusted: every row of its bill is in the")
    assert "; Cost Explorer agrees; the invoice agrees" in text
    assert "payer USD: reconciled rows 120 read, 120 kept, 0 in quarantine" in text
    assert "files agrees: billed cost 726.000000726 and 726.000000726" in text
    assert "manifest not checked: AWS's manifests state no row counts" in text
    assert "invoice agrees: billed cost 726.000000726 and 726, 0.000000726 apart" in text
    assert "finops invoice" not in text and "cost-explorer.md" not in text, "nothing is missing"
    for file in published_files(two.made.folder("acme"), "landing"):
        overwrite(file, b"x" * file.stat().st_size)
    assert " ".join(screen(two.made).split()) == text, "it reads no bill"
    status = as_json(two.made)
    assert status["verdict"] == "trusted"
    assert status["checks"] > 10
    assert status["failed_checks"] == []
    states = {
        (comparison["against"], comparison["cost_basis"]): comparison["state"]
        for comparison in status["reconciliation"]
    }
    assert states == {
        ("files", "rows"): "agrees",
        ("files", "billed_cost"): "agrees",
        ("manifest", None): "not checked",
        ("cost explorer", "billed_cost"): "agrees",
        ("cost explorer", "effective_cost"): "agrees",
        ("invoice", "billed_cost"): "agrees",
    }


def test_comparisons_that_were_not_checked_are_listed(two: Two) -> None:
    text = " ".join(screen(two.made).split())
    assert "can be trusted" in text
    assert "Cost Explorer was not checked; the invoice was not checked" in text
    assert "Cost Explorer not checked: no Cost Explorer source has days of this month" in text
    assert "finops invoice set acme/payer 2026-09 AMOUNT" in text


def test_a_month_that_differs_shows_the_amounts_first(two: Two) -> None:
    changed = costs()
    changed[DAYS[4], DEV, S3] += Decimal("1.25")
    two.explorer(changed)
    text = " ".join(screen(two.made).split())
    assert text.startswith(
        "2026-09 of acme cannot be trusted yet: payer differs (billed cost differs from Cost"
        " Explorer (explorer) by -1.25 USD: 726.000000726 in the charges, 727.250000726 in Cost"
        " Explorer"
    )
    assert f"{DEV} {S3}, differs: explorer, billed cost" in text
    assert "docs/runbook.md, A month differs" in text
    assert as_json(two.made)["verdict"] == "not_yet"
    assert "can be trusted" in screen(two.made, "globex")


def test_a_running_month_is_right_so_far(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(two.folder / "acme/cur", [row("1", day="2035-01-05")], "2035-01")
    assert not two.made.ingest("acme").failed
    text = " ".join(screen(two.made, month="2035-01").split())
    assert text.startswith("2035-01 of acme is right so far, but AWS may still change it: every")
    assert "finops ingest acme on or after 2035-02-15" in text
    assert "finops invoice set acme" not in text, "AWS has not sent an invoice yet"
    assert as_json(two.made, month="2035-01")["verdict"] == "open"


def test_refused_deliveries_and_quarantined_rows_are_reported(two: Two) -> None:
    bad = [*lines(costs()), row("no number", day=DAYS[0])]
    deliver(two.folder / "acme/cur", bad, MONTH, "two")
    two.made.ingest("acme")
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: payer differs (1 row is in quarantine" in text
    assert "121 read, 120 kept, 1 in quarantine" in text
    manifest = deliver(two.folder / "acme/cur", [row("1", day="2026-07-05")], "2026-07")
    manifest.write_text("{}")
    assert two.made.ingest("acme").failed
    text = " ".join(screen(two.made, month="2026-07").split())
    assert "cannot be trusted yet: payer was refused (" in text
    code, text = finops("status", "acme", "2026-06", data=two.made.data)
    assert code == 1
    assert "nothing of 2026-06 has landed for tenant acme" in text


def test_a_month_of_cost_explorer_alone_has_no_bill(two: Two) -> None:
    two.explorer({("2026-08-03", DEV, S3): Decimal(1)})
    text = " ".join(screen(two.made, month="2026-08").split())
    assert "cannot be trusted yet: no bill of this month has landed" in text


def test_many_sources_still_fit(two: Two) -> None:
    names = [f"more-{number}" for number in range(6)]
    more = [{"name": n, "format": "legacy-cur", "location": f"acme/{n}"} for n in names]
    declare(two.made, two.folder, "acme", *more)
    for number, name in enumerate(names, start=2):
        larger_costs = {key: cost * number for key, cost in costs().items()}
        deliver(two.folder / "acme" / name, lines(larger_costs), MONTH)
    two.made.ingest("acme")
    text = screen(two.made)
    assert "can be trusted: every row of its 7 bills" in " ".join(text.split())
    assert "--format json shows all of it" in text
    assert text.count(" USD: reconciled") == 5, "as many as there is room for, each on a line"
    assert "checks " in text


def test_failed_checks_and_broken_rules_are_named(two: Two) -> None:
    """Written into the database directly: no bill that lands fails a check at present."""
    assert "FOCUS conformance" in screen(two.made)
    with changing_tables(two.made.installation, "acme") as connection:
        connection.execute("drop table if exists conformance")
    assert "FOCUS conformance not checked" in screen(two.made)
    with changing_tables(two.made.installation, "acme") as connection:
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
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: the check effective_equals_lines failed" in text
    assert "commitments_amortize: 3 rows, for example a=1.50" in text
    assert (
        "FOCUS conformance 1 rule is broken, 1 known gap of the AWS export R7: 7 rows, for example"
        in text
    )
    assert f"finops check acme --month {MONTH}" in text


def test_failed_checks_that_change_no_sum_are_reported(two: Two) -> None:
    """Usage that AWS bills late stays in the month in which it is billed."""
    late = lines({("2026-08-31", PROD, S3): Decimal(1)})
    for line in late:
        line["bill/BillingPeriodStartDate"] = f"{MONTH}-01T00:00:00Z"
    deliver(two.folder / "acme/cur", lines(costs()) + late, MONTH, "two")
    assert not two.made.ingest("acme").failed
    text = " ".join(screen(two.made).split())
    assert "can be trusted: every row" in text
    assert "charges_in_period found rows, but no sum is affected" in text
    assert f"finops check acme --month {MONTH} lists the rows" in text


def test_files_that_changed_since_are_named(two: Two) -> None:
    file = published_file(two.made.folder("acme"), "costs", "prod", MONTH)
    original = file.read_bytes()
    place = f"costs/project=prod/billing_period={MONTH}/{file.name}"
    shorter, as_long = original[:-1], b"x" * len(original)
    for change in (
        lambda: overwrite(file, shorter), lambda: overwrite(file, as_long), file.unlink,
    ):  # fmt: skip
        change()
        text = screen(two.made)
        assert "cannot be trusted yet" in text and f"{place}haschanged" in "".join(text.split())
        assert "can be trusted" in screen(two.made, "globex")
    assert not two.made.ingest("acme").failed
    assert "can be trusted" in screen(two.made)


def test_a_month_that_no_check_was_run_on(two: Two) -> None:
    with changing_tables(two.made.installation, "acme") as connection:
        connection.execute("delete from check_results where check_name = 'charges_equal_lines'")
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: not every check has been run on it" in text
    two.made.installation.folder("acme").warehouse.unlink()
    assert "cannot be trusted yet: not every check has been run on it" in " ".join(
        screen(two.made).split()
    )
    assert not two.made.ingest("acme").failed
    assert "can be trusted" in screen(two.made)


def test_a_newer_delivery_that_was_refused(two: Two) -> None:
    """The published delivery is right in itself, but AWS has delivered more since."""
    manifest = deliver(two.folder / "acme/cur", lines(costs()), MONTH, "two")
    (bill,) = manifest.parent.glob("*.csv.gz")
    bill.write_bytes(bill.read_bytes()[:40])
    assert two.made.ingest("acme").failed
    assert two.status().state == "outdated"
    assert (two.status().reason or "").startswith("a newer delivery was refused: ")
    assert ask("select state from data_status", "acme", two.made.data) == [{"state": "outdated"}]
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: a newer delivery of payer was refused" in text
    installation = two.made.installation
    gaps = list_gaps(installation, installation.registry.tenant("acme"))
    (gap,) = (gap for gap in gaps if (gap.source, gap.billing_period) == ("payer", MONTH))
    assert gap.why == "refused" and "newer delivery" in gap.detail
    assert finops("gaps", "acme", "--fail", data=two.made.data)[0] == 1


def test_a_bill_that_has_not_come_yet(two: Two) -> None:
    """A second payer has delivered August and nothing of September."""
    declare(two.made, two.folder, "acme",
            {"name": "second", "format": "legacy-cur", "location": "acme/second"})  # fmt: skip
    early = lines({("2026-08-03", PROD, S3): Decimal(900)})
    deliver(two.folder / "acme/second", early, "2026-08")
    assert not two.made.ingest("acme").failed
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: second has not delivered this month yet" in text
    deliver(two.folder / "acme/second", lines({(DAYS[0], PROD, S3): Decimal(5)}), MONTH)
    assert not two.made.ingest("acme").failed
    assert "can be trusted: every row of its 2 bills" in " ".join(screen(two.made).split())


def test_the_same_bill_through_two_sources_is_reported_as_counted_twice(two: Two) -> None:
    declare(two.made, two.folder, "acme",
            {"name": "again", "format": "legacy-cur", "location": "acme/again"})  # fmt: skip
    deliver(two.folder / "acme/again", lines(costs()), MONTH)
    assert not two.made.ingest("acme").failed
    text = " ".join(screen(two.made).split())
    assert "cannot be trusted yet: again differs (120 charges (726.000000726 USD) are" in text
    assert "count twice" in text
    assert "can be trusted" in screen(two.made, "globex")


def test_broken_rules_are_reported_and_leave_the_month_trusted(two: Two) -> None:
    with changing_tables(two.made.installation, "acme") as connection:
        connection.execute("delete from conformance")
    assert "FOCUS conformance every rule holds" in screen(two.made)
    with changing_tables(two.made.installation, "acme") as connection:
        connection.execute(
            "insert into conformance values"
            f" ('{MONTH}', 'prod', 'payer', 'R7', 'a rule', false, 2, '{{}}'),"
            f" ('{MONTH}', 'prod', 'payer', 'R9', 'a rule', true, 2, '{{}}')"
        )
    text = " ".join(screen(two.made).split())
    assert "can be trusted: every row" in text
    assert "charges break 1 FOCUS rule, but no sum is affected." in text
    assert f"finops validate acme --month {MONTH}" in text


def test_answers_name_months_that_are_not_reconciled(two: Two, tmp_path: Path) -> None:
    early = [row("1", day="2026-08-05"), row("no number", day="2026-08-06")]
    deliver(two.folder / "acme/cur", early, "2026-08")
    two.made.ingest("acme")
    note = "finops: not reconciled: 2026-08 differs (payer); see finops status acme 2026-08\n"
    sql = "select billing_period, sum(billed_cost) as b from monthly_costs group by all"
    stdout, stderr = read_streams(two, "query", "acme", sql, "--format", "json")
    assert stderr == note
    assert len(json.loads(stdout)) == 2
    parquet = ("--format", "parquet", "-o", str(tmp_path / "answer.parquet"))
    assert read_streams(two, "query", "acme", sql, *parquet) == ("", note)
    assert read_streams(two, "query", "acme", "select sum(BilledCost) from costs")[1] == note
    trusted_month = f"select * from monthly_costs where billing_period = '{MONTH}'"
    for quiet in (trusted_month, "select 1", "from data_status"):
        assert read_streams(two, "query", "acme", quiet, "--format", "csv")[1] == ""
    deliver(two.folder / "acme/cur", [*early, row("2", day="2026-08-07")], "2026-08", "two")
    two.made.ingest("acme")
    for command in ("history", "diff"):
        for form in ("table", "json"):
            stderr = read_streams(two, command, "acme/payer", "2026-08", "--format", form)[1]
            assert stderr.splitlines(keepends=True)[-1] == note
        assert "not reconciled" not in read_streams(two, command, "acme/payer", MONTH)[1]
    run = ("queries", "run", "acme", "service_categories")
    assert read_streams(two, *run)[1] == note
    assert read_streams(two, *run, "--from", MONTH)[1] == ""
    manifest = deliver(two.folder / "acme/cur", early, "2026-07")
    manifest.write_text("{}")
    two.made.ingest("acme")
    stdout, stderr = read_streams(two, *run, "--to", "2026-07", "--format", "csv")
    assert len(stdout.splitlines()) == 1, "the header; the answer has nothing of July"
    assert (
        stderr
        == "finops: not reconciled: 2026-07 refused (payer); see finops status acme 2026-07\n"
    )
    assert read_streams(two, "query", "globex", sql)[1] == ""


def read_streams(two: Two, *arguments: str) -> tuple[str, str]:
    """Run a command; returns its stdout and its stderr."""
    done = CliRunner().invoke(app, list(arguments), env={"FINOPS_DATA": str(two.made.data)})
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr
