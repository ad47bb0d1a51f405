"""Checks catch the errors they are for: a wrong mart is refused, a wrong charge gives a warning.

Put here: charges and marts damaged before a refresh checks them. Keep out: `finops check` on
published months (test_identities.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.contracts.allocation_marts import ALLOCATION_MARTS
from finops_pipeline.contracts.column import MONEY
from finops_pipeline.contracts.metric_marts import METRIC_MARTS
from finops_pipeline.contracts.shared_cost_marts import SHARED_COST_MARTS
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.ledger.failed_checks import FailedCheck
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.marts.library import Mart, Severity, checks, head, marts
from finops_pipeline.reconciliation.failed_check_notes import note_failed_checks
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import built_globex, rows, take, two
from tests.support.bills import row
from tests.support.published_files import publish_instead, published_file
from tests.support.tiers import some_every_day

__all__ = ["built_globex", "two"]

MONTH = "2026-09"
PROD = ("costs", "prod", MONTH)


def publish_wrong(made: TemporaryInstallation, tmp_path: Path, change: str) -> None:
    """Publish a month of acme's project prod with a column expression changed."""
    path, wrong = published_file(made.folder("acme"), *PROD), tmp_path / "wrong.parquet"
    duckdb.sql(
        f"copy (select * replace ({change}) from read_parquet('{path}', hive_partitioning = false))"
        f" to '{wrong}' (format parquet)"
    )
    publish_instead(made.installation, "acme", Place(*PROD), wrong)
    (made.folder("acme") / "acme.duckdb").unlink()


def warnings_of(installation: TemporaryInstallation) -> str:
    report = installation.ingest("acme")
    return next(step.reason for step in report.steps if step.stage == "warehouse")


def test_true_charges_give_no_warning(ingested: TemporaryInstallation) -> None:
    (ingested.folder("acme") / "acme.duckdb").unlink()
    assert warnings_of(ingested) == ""


def test_a_lost_unused_commitment_gives_a_warning(
    ingested: TemporaryInstallation, tmp_path: Path
) -> None:
    publish_wrong(
        ingested,
        tmp_path,
        "case when x_RowKind = 'unused' then 0 else EffectiveCost end::decimal(38,18)"
        " as EffectiveCost",
    )
    assert "commitments_amortize" in warnings_of(ingested)


def test_a_failed_check_shows_in_every_state(two: TemporaryInstallation) -> None:
    """`finops status`, `data_status` and `about` say the same, and only of the month concerned."""
    late = {"bill/BillingPeriodStartDate": "2026-09-01T00:00:00Z"}
    usage = {"lineItem/UsageEndDate": "2026-09-01T00:00:00Z"}
    take(two, [row("1", day="2026-08-31", **late, **usage), row("2")])
    take(two, [row("3", day="2026-08-05")], "2026-08")
    status = two.installation.status("acme")
    fields = "source, billing_period, state, reason"
    assert rows(two, f"select {fields} from data_status order by all") == [
        (s.source, s.billing_period, s.state, s.reason) for s in status
    ]
    before, month = status
    remark = "the check charges_in_period found 1 row, but no sum is affected"
    assert before.reason is None and month.reason == remark
    assert month.state == before.state == "reconciled"
    assert "charges_in_period found rows" in two.finops("status", "acme", MONTH).stdout
    take(two, [row("2"), row("4")], MONTH, "without")
    assert {status.reason for status in two.installation.status("acme")} == {None}
    assert rows(two, "select distinct reason from data_status") == [(None,)]


def test_a_check_of_sums_that_failed_makes_a_month_differ() -> None:
    doubt = FailedCheck("effective_equals_lines", 2, is_doubt=True)
    compared = FailedCheck("bills_apart", 1, is_doubt=True)
    remark = FailedCheck("charges_in_period", 1, is_doubt=False)
    months = [
        Status("payer", "2026-08", "USD", ReconciliationState.OPEN, "AWS may still change it"),
        Status("payer", MONTH, "USD", ReconciliationState.OPEN, "AWS may still change it"),
        Status("other", MONTH, "USD", ReconciliationState.DIFFERS, "0.1 USD"),
        Status("third", MONTH, None, ReconciliationState.EMPTY, "no rows"),
    ]
    noted = note_failed_checks(months, {MONTH: [doubt, compared, remark]})
    assert [(status.state, status.reason) for status in noted] == [
        ("open", "AWS may still change it"),
        (
            "differs",
            "the check effective_equals_lines failed: 2 rows; AWS may still change it;"
            " the check charges_in_period found 1 row, but no sum is affected",
        ),
        (
            "differs",
            "0.1 USD; the check effective_equals_lines failed: 2 rows; the check bills_apart"
            " failed: 1 row; the check charges_in_period found 1 row, but no sum is affected",
        ),
        ("empty", "no rows"),
    ]


CHECKED = ("resource_daily_costs", "commitment_coverage_hourly", "commitment_utilization_hourly",
           "costs_to_share")  # fmt: skip
"""Marts that others are summed from; each has a check of its own against the charges."""
EMPTY_IN_THE_ESTATE = (
    *("split_costs", "required_tag_coverage", "resources"),
    *(table.name for table in (*ALLOCATION_MARTS, *METRIC_MARTS, *SHARED_COST_MARTS)),
)
"""Marts without rows there; test_usage_marts.py, test_required_tags.py, test_allocations.py,
test_business_metrics.py and test_shared_costs.py break them."""


@pytest.mark.parametrize("mart", marts(), ids=lambda mart: mart.name)
def test_every_mart_names_checks_that_compare_it_with_charges(mart: Mart) -> None:
    """Each check that a mart's head names exists, reads the mart and refuses differences."""
    by_name = {check.name: check for check in checks()}
    names = head(mart.sql)["check"].split(", ")
    assert names
    for name in names:
        check = by_name[name]
        reads = set(head(check.sql)["reads"].split(", "))
        assert mart.name in reads and reads & {"costs", *CHECKED}
        assert check.severity is Severity.REFUSE


def test_marts_and_checks_have_no_rows_without_those_that_their_heads_name(
    built: TemporaryInstallation,
) -> None:
    """A refresh skips them then; with everything else of the estate, they still find nothing."""
    needing = [query for query in (*marts(), *checks()) if query.rows_from]
    assert len(needing) > 25
    for query in needing:
        with duckdb.connect() as connection:
            file = built.folder("acme") / "acme.duckdb"
            connection.execute(f"attach '{file}' as w (read_only); use w")
            for need in query.rows_from:
                table, _, condition = need.partition(" where ")
                assert table in query.reads
                connection.execute(
                    f"create temp view {table} as from w.main.{table}"
                    f" where {f'not coalesce(({condition}), false)' if condition else 'false'}"
                )
            assert connection.execute(query.sql).fetchall() == [], query.name


@pytest.mark.parametrize(
    "broken",
    some_every_day([mart for mart in marts() if mart.name not in EMPTY_IN_THE_ESTATE], every=4),
    ids=lambda mart: mart.name,
)
def test_a_mart_that_loses_rows_is_refused(
    ingested: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, broken: Mart
) -> None:
    """A broken mart never reaches the tenant's file: the one before stays, byte for byte."""
    columns = sorted(MARTS[broken.name].columns, key=lambda column: column.nullable)
    money = [column.name for column in columns if column.type == MONEY]
    cost = "billed_cost" if "billed_cost" in money else (money or ["charges / 100"])[0]
    wrong = [
        mart if mart != broken else replace(mart, sql=mart.sql + f" where {cost} < 0.01")
        for mart in marts()
    ]  # fmt: skip
    monkeypatch.setattr("finops_pipeline.marts.build.marts", lambda: tuple(wrong))
    file = ingested.folder("acme") / "acme.duckdb"
    before = file.read_bytes()
    refused = ingested.ingest("acme").failed
    assert len(refused) == 1 and head(broken.sql)["check"] in refused[0].reason
    assert file.read_bytes() == before
