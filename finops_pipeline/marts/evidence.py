"""What a tenant's file says of one month beside its numbers: checks and FOCUS conformance.

Put here: reading both tables of the published file, also of a file from before they were. Keep
out: running checks (results.py), what follows for the month (reconciliation/verdict.py).

Reads: <tenant>.duckdb (check_results, conformance); no Parquet
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finops_pipeline.contracts.proofs import CHECK_RESULTS, CONFORMANCE
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import checks
from finops_pipeline.marts.results import FAILED, in_words

DOUBTS = frozenset({"bills_apart", "charges_equal_bill", "effective_equals_lines"})
"""Checks that warn, and whose rows say that sums of the charges are not those of the bill."""


@dataclass(frozen=True)
class Finding:
    """A check that failed, or a FOCUS rule that rows break.

    `example`: one of the rows in words; `known`: a gap of the export that is known and explained;
    `is_doubt`: a check whose rows make sums doubtful.
    """

    name: str
    says: str
    rows: int
    example: str = ""
    known: bool = False
    is_doubt: bool = False


@dataclass(frozen=True)
class Evidence:
    """Of one month. `checks` is how many were run, `are_all` whether that is every check there is;
    `conformance` None where the file has none."""

    checks: int = 0
    failed: tuple[Finding, ...] = ()
    conformance: tuple[Finding, ...] | None = None
    are_all: bool = False


def evidence(folder: TenantFolder, month: str) -> Evidence:
    """What the published file says of a month; nothing where there is no file yet."""
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
            _words(row["example"]),
            is_doubt=row["severity"] == "refuse" or row["check_name"] in DOUBTS,
        )
        for row in results or ()
        if row["state"] == FAILED
    )
    run = {row["check_name"] for row in results or ()}
    are_all = broken is not None and {check.name for check in checks()} <= run
    return Evidence(len(run), failed, None if broken is None else _rules(broken), are_all)


def _rows(connection: Connection, table: str, month: str) -> list[dict[str, Any]] | None:
    """Rows of a month; None where the file has no such table."""
    there = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'w' and table_name = ?", [table]
    ).fetchone()
    if there is None:
        return None
    query = connection.execute(f"select * from {table} where billing_period = ?", [month])
    names = [column[0] for column in query.description or []]
    return [dict(zip(names, row, strict=True)) for row in query.fetchall()]


def _rules(rows: list[dict[str, Any]]) -> tuple[Finding, ...]:
    """One finding per rule and whether it is known, over projects and sources."""
    found: dict[tuple[str, bool], Finding] = {}
    for row in sorted(rows, key=lambda row: (row["rule"], row["project"], row["source"])):
        key = (row["rule"], bool(row["is_known_gap"]))
        before = found.get(key)
        example = before.example if before else _words(row["example"])
        count = row["rows"] + (before.rows if before else 0)
        found[key] = Finding(row["rule"], row["says"], count, example, key[1])
    return tuple(one for one in found.values() if one.rows)


def _words(example: str | None) -> str:
    """A row that was kept as JSON, in words; other text as it is."""
    if not example:
        return ""
    try:
        return in_words(example)
    except ValueError:
        return example
