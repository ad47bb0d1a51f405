"""What the checks find: run on a refresh, or anew over the published file; and kept as data.

Put here: running checks/, their results, what stops a publication. Keep out: what a check says
(checks/*.sql), which slices are due (build.py), how results look (cli/checks.py).

Reads: costs, marts   Writes: <tenant>.duckdb (check_results)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finops_pipeline.contracts.focus_rules import says
from finops_pipeline.contracts.proofs import CHECK_RESULTS, CONFORMANCE
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.errors import IntegrityCheckFailed, one_line
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, ident, text
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, reading
from finops_pipeline.marts.filling import append, create
from finops_pipeline.marts.library import Check, checks
from finops_pipeline.tenants.months import check_month

PASSED, FAILED = "passed", "failed"
EXAMPLES = 3
"""Rows of a failure that are kept to be told."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found in one billing period ('' where it is of no one month).

    `severity`: `refuse` (such a state is not published) or `warn`. `rows`: how many rows are
    wrong; `examples`: the first of them, each a JSON object as text. `says`: what they are.
    """

    check_name: str
    billing_period: str
    state: str
    severity: str
    rows: int
    examples: tuple[str, ...]
    says: str

    def words(self) -> str:
        """In one line: the check, how many rows, and the first of them."""
        first = f", for example {in_words(self.examples[0])}" if self.examples else ""
        return f"{self.check_name}: {self.rows} rows{first}"


def in_words(example: str) -> str:
    """A failing row as `name=value, …`, amounts exact; what is null is left out."""
    row: dict[str, Any] = json.loads(example, parse_float=str, parse_int=str)
    return ", ".join(
        f"{name}={one_line(value)}" for name, value in row.items() if value is not None
    )


def run_checks(connection: Connection, months: Sequence[str]) -> list[CheckResult]:
    """Run every check on a connection whose tables and views have the file's names.

    Args:
        months: billing periods that are looked at; each has a result of every check.
    """
    return [result for check in checks() for result in _run(connection, check, months)]


def _run(connection: Connection, check: Check, months: Sequence[str]) -> list[CheckResult]:
    severity = "refuse" if check.refuses else "warn"
    rows = connection.execute(
        f"select billing_period, count(*), min(to_json(found)::varchar, {EXAMPLES})"
        f" from ({check.sql}) as found group by 1 order by 1"
    ).fetchall()
    failed = [
        CheckResult(check.name, month or "", FAILED, severity, count, tuple(said), check.meaning)
        for month, count, said in rows
    ]
    passed = [
        CheckResult(check.name, month, PASSED, severity, 0, (), check.meaning)
        for month in sorted(set(months) - {result.billing_period for result in failed})
    ]
    return sorted([*failed, *passed], key=lambda result: result.billing_period)


def refuse(tenant: str, results: Sequence[CheckResult]) -> None:
    """Stop a publication that is not true.

    Raises:
        IntegrityCheckFailed: a check that refuses found rows; names every check that failed.
    """
    failed = [result for result in results if result.state == FAILED]
    for first in failed:
        if first.severity == "refuse":
            others = sorted({r.check_name for r in failed} - {first.check_name})
            raise IntegrityCheckFailed(
                f"check {first.check_name} of tenant {tenant} found {first.rows} rows, for"
                f" example {in_words(first.examples[0])}"
                + (f" (failed as well: {', '.join(others)})" if others else ""),
                f"none: {first.says}",
                "The tenant's file stays as it was; see docs/runbook.md, A check failed",
            )


def keep_results(connection: Connection, results: Sequence[CheckResult]) -> None:
    """Write results into the file being built, over those of the same check and month."""
    create(connection, CHECK_RESULTS)
    whole = f"{WAREHOUSE}.{CHECK_RESULTS.name}"
    names = ", ".join(text(check.name) for check in checks())
    connection.execute(f"delete from {whole} where check_name not in ({names})")
    keys = [[r.check_name for r in results], [r.billing_period for r in results]]
    connection.execute(
        f"delete from {whole} where (check_name, billing_period) in"
        " (select (unnest(?::varchar[]), unnest(?::varchar[])))",
        keys,
    )
    append(connection, CHECK_RESULTS, [_row(result) for result in results])


def _row(result: CheckResult) -> tuple[Any, ...]:
    example = result.examples[0] if result.examples else None
    kept = (result.check_name, result.billing_period, result.state, result.severity, result.rows)
    return (*kept, example, result.says)


def partition_rows(publication: Publication) -> list[tuple[Any, ...]]:
    """Rows of `partitions`: what each costs file came to, as the publication will leave them."""
    named = (
        *("source", "billing_currency", "row_kind", "rows"),
        *("billed_cost", "effective_cost", "list_cost", "contracted_cost"),
    )
    return [
        (month, project, *(total[name] for name in named))
        for (project, month), record in sorted(publication.partitions(COSTS_TABLE).items())
        for total in record.totals
    ]


def conformance_rows(publication: Publication) -> list[tuple[Any, ...]]:
    """Rows of `conformance`: which rules each costs file breaks, as the publication will be."""
    return [
        (month, project, f.source, f.rule, says(f.rule), f.is_known_gap, f.rows, f.example)
        for (project, month), record in sorted(publication.partitions(COSTS_TABLE).items())
        for f in record.findings
    ]


CONFORMANCE_CHECK = "conformance"
"""The name under which broken rules of conformance stand among the checks."""


def kept_results(folder: TenantFolder, months: Sequence[str]) -> list[CheckResult]:
    """What the last refresh kept of these months: each check, and the rules of conformance.

    Nothing of a month that has no charges.

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
            "select billing_period, rule, sum(rows)::bigint, min(example), says"
            f" from {CONFORMANCE.name} where not is_known_gap group by all order by all"
        ).fetchall()
    results = [
        CheckResult(name, month, state, severity, count, (example,) if example else (), words)
        for name, month, state, severity, count, example, words in rows
    ]
    # A month that no check was run on has no charges: its rules were asked of nothing.
    for month in sorted({result.billing_period for result in results}):
        mine = [one for one in broken if one[0] == month]
        results += [
            CheckResult(CONFORMANCE_CHECK, month, FAILED, "warn", count, (example,), words)
            for _, _, count, example, words in mine
        ] or [CheckResult(CONFORMANCE_CHECK, month, PASSED, "warn", 0, (), "")]
    return results


def check_published(
    folder: TenantFolder, limits: Limits, month: str | None = None
) -> list[CheckResult]:
    """Run every check anew over what is published: the folders as they lie on the disk now.

    A file that cannot be read is a failure of every check that reads it.

    Args:
        month: only this billing period; None: all.

    Returns:
        a result for every check and month, in the order of checks.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    with reading(folder) as connection:
        limits.apply(connection)
        try:
            if month is not None:
                _only(connection, check_month(month))
            months = [row[0] for row in connection.execute(_MONTHS).fetchall()]
        except DuckDBError as error:
            return [_unreadable(check, folder, error) for check in checks()]
        results: list[CheckResult] = []
        for check in checks():
            try:
                results += _run(connection, check, months)
            except DuckDBError as error:
                results.append(_unreadable(check, folder, error))
    return results


def _only(connection: Connection, month: str) -> None:
    """Let every table that has months show one."""
    for table in TABLES:
        if any(column.name == "billing_period" for column in table.columns):
            connection.execute(
                f"create temp view {ident(table.name)} as select * from w.main.{ident(table.name)}"
                f" where billing_period = {text(month)}"
            )


_MONTHS = "select distinct billing_period from partitions order by 1"


def _unreadable(check: Check, folder: TenantFolder, error: DuckDBError) -> CheckResult:
    severity = "refuse" if check.refuses else "warn"
    reason = str(error).replace(f"{folder.root}/", "").splitlines()[0]
    said = json.dumps({"cannot_be_read": reason})
    return CheckResult(check.name, "", FAILED, severity, 1, (said,), check.meaning)
