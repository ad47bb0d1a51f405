"""Results of checks, which run on each refresh and on demand over the published file.

Put here: running checks/, their results, stopping a publication. Keep out: what a check compares
(checks/*.sql), which slices are due (build.py), how results are shown (cli/checks.py).

Reads: costs, marts   Writes: <tenant>.duckdb (check_results)
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from finops_pipeline.contracts.proofs import CHECK_RESULTS, CONFORMANCE
from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.errors import DamagedFile, IntegrityCheckFailed, counted, one_line
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, ident, text
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import WAREHOUSE, reading
from finops_pipeline.marts.due_slices import window_of
from finops_pipeline.marts.library import Check, Severity, checks, in_reading_order, marts
from finops_pipeline.marts.slice_conditions import among_months
from finops_pipeline.marts.status_tables import append_rows
from finops_pipeline.tenants.months import check_month

EXAMPLES = 3
"""Number of example rows in a failed result."""

CONFORMANCE_CHECK = "conformance"
"""The name of the result, among those of checks, that reports broken FOCUS rules."""


class CheckState(StrEnum):
    """The outcome of a check in a month: failed when it found rows."""

    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check in one billing period ('' where it concerns no single month).

    `rows`: the number of wrong rows; `examples`: the first of them, each a JSON object as text;
    `says`: the meaning of a wrong row.
    """

    check_name: str
    billing_period: str
    state: CheckState
    severity: Severity
    rows: int
    examples: tuple[str, ...]
    says: str

    def describe(self) -> str:
        """Describe the result in one line: the check, the number of rows, and the first of them."""
        first = f", for example {describe_row(self.examples[0])}" if self.examples else ""
        return f"{self.check_name}: {counted(self.rows, 'row')}{first}"


def describe_row(example: str) -> str:
    """Format a JSON object as `name=value, …`, with exact amounts and without nulls."""
    row: dict[str, Any] = json.loads(example, parse_float=str, parse_int=str)
    return ", ".join(
        f"{name}={one_line(value)}" for name, value in row.items() if value is not None
    )


def run_check(
    connection: Connection, check: Check, months: Sequence[str], sees_more: bool = False
) -> list[CheckResult]:
    """Run a check on a connection whose tables and views have the file's names.

    Args:
        months: billing periods to check; the result has each of them.
        sees_more: whether it also sees part of other months, about which nothing is reported.
    """
    only = f" where {among_months(months)}" if sees_more else ""
    rows = connection.execute(
        f"select billing_period, count(*), min(to_json(failure)::varchar, {EXAMPLES})"
        f" from ({check.sql}) as failure{only} group by 1 order by 1"
    ).fetchall()
    failed = [_failure(check, month or "", count, examples) for month, count, examples in rows]
    passed = pass_check(check, set(months) - {result.billing_period for result in failed})
    return sorted([*failed, *passed], key=lambda result: result.billing_period)


def pass_check(check: Check, months: Collection[str]) -> list[CheckResult]:
    """Return the results of a check that found no rows in these months, or cannot."""
    return [
        CheckResult(check.name, month, CheckState.PASSED, check.severity, 0, (), check.meaning)
        for month in sorted(months)
    ]


def _failure(check: Check, month: str, rows: int, examples: Sequence[str]) -> CheckResult:
    failure = (CheckState.FAILED, check.severity, rows, tuple(examples), check.meaning)
    return CheckResult(check.name, month, *failure)


def refuse_failed_checks(tenant: str, results: Sequence[CheckResult]) -> None:
    """Stop a publication whose numbers are wrong.

    Raises:
        IntegrityCheckFailed: a check that refuses found rows; the message names all failed ones.
    """
    failed = [result for result in results if result.state is CheckState.FAILED]
    for first in failed:
        if first.severity is Severity.REFUSE:
            more = sorted({r.check_name for r in failed} - {first.check_name})
            raise IntegrityCheckFailed(
                f"check {first.check_name} of tenant {tenant} found {counted(first.rows, 'row')},"
                f" for example {describe_row(first.examples[0])}"
                + (f" (other failed checks: {', '.join(more)})" if more else ""),
                f"no {first.says}",
                "The tenant's file stays as it was; see docs/runbook.md, A check failed",
            )


def store_results(connection: Connection, results: Sequence[CheckResult]) -> None:
    """Store results in the file being built, replacing those of the same check and month."""
    target = f"{WAREHOUSE}.{CHECK_RESULTS.name}"
    names = ", ".join(text(check.name) for check in checks())
    connection.execute(f"delete from {target} where check_name not in ({names})")
    keys = [[r.check_name for r in results], [r.billing_period for r in results]]
    connection.execute(
        f"delete from {target} where (check_name, billing_period) in"
        " (select (unnest(?::varchar[]), unnest(?::varchar[])))",
        keys,
    )
    append_rows(connection, CHECK_RESULTS, [_row(result) for result in results])


def _row(result: CheckResult) -> tuple[Any, ...]:
    example = result.examples[0] if result.examples else None
    key = (result.check_name, result.billing_period)
    return (*key, result.state, result.severity, result.rows, example, result.says)


def read_results(folder: TenantFolder, months: Sequence[str]) -> list[CheckResult]:
    """Read the stored check results of these months, and the broken FOCUS rules.

    A month without charges has none.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    with reading(folder) as connection:
        rows = connection.execute(
            "select check_name, billing_period, state, severity, rows, example, says"
            f" from {CHECK_RESULTS.name} where billing_period in (select unnest(?::varchar[]))"
            " order by all",
            [list(months)],
        ).fetchall()
        broken = connection.execute(
            "select billing_period, sum(rows)::bigint, min(example), says"
            f" from {CONFORMANCE.name} where not is_known_gap group by billing_period, rule, says"
            " order by billing_period, rule"
        ).fetchall()
    results = [
        CheckResult(
            *(name, month, CheckState(state), Severity(severity), count),
            examples=(example,) if example else (),
            says=meaning,
        )
        for name, month, state, severity, count, example, meaning in rows
    ]
    # A month without check results has no charges, so no FOCUS rule was applied to it.
    for month in sorted({result.billing_period for result in results}):
        results += [
            CheckResult(
                CONFORMANCE_CHECK,
                month,
                CheckState.FAILED,
                Severity.WARN,
                *(count, (example,), says),
            )
            for period, count, example, says in broken
            if period == month
        ] or [CheckResult(CONFORMANCE_CHECK, month, CheckState.PASSED, Severity.WARN, 0, (), "")]
    return results


def check_published(
    folder: TenantFolder, limits: Limits, month: str | None = None
) -> list[CheckResult]:
    """Run every check again over the published folders as they are on disk now.

    A file that cannot be read is a failure of every check that reads it.

    Args:
        month: only this billing period; None: all.

    Returns:
        a result for every check and month, in the order of checks.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        DamagedFile: the tenant's file lacks a table that checks read.
    """
    with reading(folder) as connection:
        limits.apply(connection)
        _require_marts(connection, folder.tenant)
        try:
            run = _PublishedChecks(connection, month and check_month(month))
        except DuckDBError as error:
            return [_unreadable(check, folder, error) for check in checks()]
        results: list[CheckResult] = []
        for check in checks():
            try:
                results += run.run(check)
            except DuckDBError as error:
                results.append(_unreadable(check, folder, error))
    return results


def _require_marts(connection: Connection, tenant: str) -> None:
    """Refuse the file of an earlier version, whose checks would fail because a table is missing."""
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'w'"
    ).fetchall()
    missing = sorted(MARTS.keys() - {name for (name,) in rows})
    if missing:
        raise DamagedFile(
            f"the file of tenant {tenant} was built by an earlier version and has no table"
            f" {missing[0]}",
            "a file built by this version",
            f"Bring it up to date: finops ingest {tenant}",
        )


class _PublishedChecks:
    """Checks over a published file: all of it, or one month and what a check needs for it."""

    def __init__(self, connection: Connection, month: str | None) -> None:
        self._connection = connection
        self._month = month
        self._present = list_months(connection)
        self._marts = in_reading_order(marts())
        self._shown = set[str]()

    def run(self, check: Check) -> list[CheckResult]:
        if self._month is None:
            return run_check(self._connection, check, self._present)
        window = window_of(check.reads, self._marts)
        seen = window.months([self._month], self._present)
        if seen != self._shown:
            restrict_to_months(self._connection, seen)
            self._shown = seen
        months = [month for month in self._present if month == self._month]
        return run_check(self._connection, check, months, sees_more=not window.is_none)


def list_months(connection: Connection) -> list[str]:
    """List the months that have charges, according to the published file."""
    rows = connection.execute("select distinct billing_period from w.main.partitions order by 1")
    return [month for (month,) in rows.fetchall()]


def restrict_to_months(connection: Connection, months: Collection[str]) -> None:
    """Restrict every table with a billing period to some months, instead of the previous ones."""
    for table in TABLES:
        if any(column.name == "billing_period" for column in table.columns):
            name = ident(table.name)
            connection.execute(
                f"create or replace temp view {name} as select * from w.main.{name}"
                f" where {among_months(months)}"
            )


def _unreadable(check: Check, folder: TenantFolder, error: DuckDBError) -> CheckResult:
    reason = str(error).replace(f"{folder.root}/", "").splitlines()[0]
    return _failure(check, "", 1, [json.dumps({"cannot_be_read": reason})])
