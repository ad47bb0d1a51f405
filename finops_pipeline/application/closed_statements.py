"""Closed statements and their adjustments, read from their files.

Put here: reading and listing what was closed. Keep out: closing (statements.py), how it is printed
(statement_documents.py, cli).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Unknown, did_you_mean
from finops_pipeline.lake.statement_files import read_statement_lines
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.statement_entries import StatementEntry, read_statement_entries
from finops_pipeline.marts.statement_views import StatementLine, months_to_adjust
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.months import check_month


@dataclass(frozen=True)
class StatedVersion:
    """A closed statement or an adjustment, with its lines."""

    entry: StatementEntry
    lines: Sequence[StatementLine]

    @property
    def totals(self) -> dict[str, Decimal]:
        """The sum of the lines in each currency."""
        return total_by_currency(self.lines)


@dataclass(frozen=True)
class StatementSummary:
    """A version of a month and its total in one currency, for a list.

    `to_adjust`: whether the month would have another total or other lines now.
    """

    billing_period: str
    version: int
    kind: str
    closed_at: str
    month_state: str
    projects: int
    billing_currency: str
    amount: Decimal
    to_adjust: bool
    reason: str
    sha256: str


def total_by_currency(lines: Iterable[StatementLine]) -> dict[str, Decimal]:
    """Add up lines in each currency, exactly."""
    amounts: dict[str, list[Decimal]] = {}
    for line in lines:
        amounts.setdefault(line.billing_currency, []).append(line.amount)
    return {currency: exact_sum(each) for currency, each in sorted(amounts.items())}


def of_project(
    tenant: str, lines: Sequence[StatementLine], project: str | None
) -> list[StatementLine]:
    """Return the lines of one project; None: all.

    Raises:
        Unknown: it has none.
    """
    if project is None:
        return list(lines)
    chosen = [line for line in lines if line.project == project]
    if not chosen:
        names = sorted({line.project for line in lines})
        raise Unknown(
            f"project {tenant}/{project} has no statement of this month",
            f"one of: {', '.join(names)}",
            did_you_mean(project, names).strip(),
        )
    return chosen


def require_closed(tenant: str, ledger: Ledger, month: str) -> list[StatementEntry]:
    """Return the versions of a closed month.

    Raises:
        Unknown: it is not closed.
    """
    entries = read_statement_entries(ledger)
    of_month = [entry for entry in entries if entry.billing_period == month]
    if not of_month:
        months = ", ".join(sorted({entry.billing_period for entry in entries})) or "(none)"
        raise Unknown(
            f"the statements of {tenant} {month} are not closed",
            f"a closed month: {months}",
            f"Preview the statements: finops statements preview {tenant} --month {month}",
        )
    return of_month


def read_statements(
    installation: Installation, tenant: str, month: str, project: str | None = None
) -> list[StatedVersion]:
    """Read the closed statement of a month (of one project) and its adjustments, in order.

    Raises:
        Unknown: there is no such tenant, the month is not closed, or the project has no statement.
        DamagedFile, ForeignFile: a file of the month is not the one that was published.
    """
    name = installation.registry.tenant(tenant).name
    folder = installation.folder(name)
    settle(folder)
    entries = require_closed(name, open_ledger(folder), check_month(month))
    rows = read_statement_lines(folder, month)
    stated = [(row[1], StatementLine(row[0], *row[6:])) for row in rows]
    chosen = of_project(name, [line for _, line in stated], project)
    chosen_projects = {line.project for line in chosen}
    return [
        StatedVersion(
            entry,
            [line for v, line in stated if v == entry.version and line.project in chosen_projects],
        )
        for entry in entries
    ]


def list_statements(installation: Installation, tenant: str) -> list[StatementSummary]:
    """List the closed statements and adjustments of a tenant, by month and version.

    Raises:
        Unknown: there is no such tenant.
        DamagedFile, ForeignFile: the file of a statement is not the one that was published.
    """
    name = installation.registry.tenant(tenant).name
    folder = installation.folder(name)
    settle(folder)
    entries = read_statement_entries(open_ledger(folder))
    if not entries:
        return []
    changed = set(months_to_adjust(folder))
    by_version: dict[tuple[str, int], list[StatementLine]] = {}
    for row in read_statement_lines(folder):
        by_version.setdefault((row[0], row[1]), []).append(StatementLine(row[0], *row[6:]))
    return [
        StatementSummary(
            *(entry.billing_period, entry.version, entry.kind, entry.closed_at, entry.month_state),
            len({line.project for line in lines}),
            *(currency, amount, entry.billing_period in changed, entry.reason, entry.sha256),
        )
        for entry in entries
        for lines in [by_version[entry.billing_period, entry.version]]
        for currency, amount in total_by_currency(lines).items()
    ]
