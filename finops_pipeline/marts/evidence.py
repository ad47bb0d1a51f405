"""Evidence for one month's numbers in a tenant's file: results of checks, FOCUS conformance.

Put here: reading both tables of the published file, or of an older file that lacks them. Keep out:
running checks (results.py), the conclusion for the month (reconciliation/verdict.py).

Reads: <tenant>.duckdb (check_results, conformance); no Parquet
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finops_pipeline.contracts.proofs import CHECK_RESULTS, CONFORMANCE
from finops_pipeline.lake.duck import Connection, fetch_dicts
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import WAREHOUSE, reading
from finops_pipeline.ledger.failed_checks import FailedByMonth, FailedCheck
from finops_pipeline.marts.library import Severity, checks
from finops_pipeline.marts.results import CheckState, describe_row

DOUBTS = frozenset({"bills_apart", "charges_equal_bill", "effective_equals_lines"})
"""Checks that only warn, but whose rows mean that the charges do not add up to the bill."""


@dataclass(frozen=True)
class Finding:
    """A check that failed, or a FOCUS rule that rows break.

    `example`: one of the rows as text; `is_export_gap`: AWS documents that its exports break the
    rule; `is_doubt`: a check whose rows make sums doubtful.
    """

    name: str
    says: str
    rows: int
    example: str = ""
    is_export_gap: bool = False
    is_doubt: bool = False


@dataclass(frozen=True)
class Evidence:
    """The evidence for one month.

    `checks`: the number of checks that were run; `are_all`: whether those are all checks of the
    library; `conformance`: broken FOCUS rules, None where the file has no such table.
    """

    checks: int = 0
    failed: tuple[Finding, ...] = ()
    conformance: tuple[Finding, ...] | None = None
    are_all: bool = False


def read_evidence(folder: TenantFolder, month: str) -> Evidence:
    """Read the evidence for a month from the published file; empty where there is no file yet."""
    if not folder.warehouse.exists():
        return Evidence()
    with reading(folder) as connection:
        results = _rows(connection, CHECK_RESULTS.name, month)
        broken = _rows(connection, CONFORMANCE.name, month)
    failed = tuple(
        Finding(
            row["check_name"],
            row["says"],
            row["rows"],
            _readable(row["example"]),
            is_doubt=is_doubt(row["check_name"], row["severity"]),
        )
        for row in results or ()
        if row["state"] == CheckState.FAILED
    )
    run = {row["check_name"] for row in results or ()}
    are_all = broken is not None and {check.name for check in checks()} <= run
    return Evidence(len(run), failed, None if broken is None else _rules(broken), are_all)


def read_failed_checks(connection: Connection) -> FailedByMonth:
    """Read the failed checks of every month from the file that is being built."""
    rows = connection.execute(
        f"select billing_period, check_name, rows, severity from {WAREHOUSE}.{CHECK_RESULTS.name}"
        " where state = ? and billing_period <> '' order by all",
        [CheckState.FAILED],
    ).fetchall()
    failed: dict[str, list[FailedCheck]] = {}
    for month, name, count, severity in rows:
        check = FailedCheck(name, count, is_doubt(name, severity))
        failed.setdefault(month, []).append(check)
    return failed


def is_doubt(check_name: str, severity: str) -> bool:
    """Return whether the rows that a check finds make sums doubtful."""
    return severity == Severity.REFUSE or check_name in DOUBTS


def _rows(connection: Connection, table: str, month: str) -> list[dict[str, Any]] | None:
    """Read a table's rows of a month; None where the file has no such table."""
    exists = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'w' and table_name = ?", [table]
    ).fetchone()
    if exists is None:
        return None
    query = connection.execute(f"select * from {table} where billing_period = ?", [month])
    return fetch_dicts(query)


def _rules(rows: list[dict[str, Any]]) -> tuple[Finding, ...]:
    """Add up findings of all projects and sources, by rule and whether it is a documented gap."""
    findings: dict[tuple[str, bool], Finding] = {}
    for row in sorted(rows, key=lambda row: (row["rule"], row["project"], row["source"])):
        key = (row["rule"], bool(row["is_known_gap"]))
        before = findings.get(key)
        example = before.example if before else _readable(row["example"])
        count = row["rows"] + (before.rows if before else 0)
        findings[key] = Finding(row["rule"], row["says"], count, example, key[1])
    return tuple(finding for finding in findings.values() if finding.rows)


def _readable(example: str | None) -> str:
    """Return a row that was stored as JSON as readable text; return other text unchanged."""
    if not example:
        return ""
    try:
        return describe_row(example)
    except ValueError:
        return example
