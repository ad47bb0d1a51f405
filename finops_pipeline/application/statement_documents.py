"""Statements as documents: one for each project and currency, with amounts as they are printed.

Put here: grouping lines into documents, and rounding. Keep out: the form of a page (cli).

Amounts are exact until they are printed. The printed lines of a statement or adjustment add up to
its printed total, and the printed totals to the printed sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.application.closed_statements import read_statements
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.statements import preview_statements, state_of_month
from finops_pipeline.ledger.statement_entries import StatementEntry
from finops_pipeline.marts.statement_views import StatementLine
from finops_pipeline.money import digits_of, exact_sum, round_to_total


@dataclass(frozen=True)
class PrintedLine:
    """A line and its rounded amount."""

    line: StatementLine
    printed: Decimal


@dataclass(frozen=True)
class DocumentPart:
    """A statement or an adjustment; `entry` is None for one that is not closed."""

    entry: StatementEntry | None
    lines: Sequence[PrintedLine]

    @property
    def total(self) -> Decimal:
        """The sum of the lines, exactly."""
        return exact_sum(printed.line.amount for printed in self.lines)

    @property
    def printed_total(self) -> Decimal:
        """The sum of the printed lines, which is the rounded total."""
        return exact_sum(printed.printed for printed in self.lines)


@dataclass(frozen=True)
class StatementDocument:
    """All that is stated to a project for a month in one currency.

    `state`: the state of the month now; empty for a closed one, whose parts have their own.
    """

    tenant: str
    title: str
    currency: str
    parts: Sequence[DocumentPart]
    state: str = ""

    @property
    def head(self) -> StatementLine:
        """A line of the newest part, whose labels are those of the document."""
        return self.parts[-1].lines[0].line

    @property
    def total(self) -> Decimal:
        """The sum of all parts, exactly."""
        return exact_sum(part.total for part in self.parts)

    @property
    def printed_total(self) -> Decimal:
        """The sum of the printed totals of all parts."""
        return exact_sum(part.printed_total for part in self.parts)


def preview_documents(
    installation: Installation, tenant: str, month: str, project: str | None = None
) -> list[StatementDocument]:
    """Compute the documents of a month (of one project) as they would be closed now.

    Raises:
        Unknown: there is no such tenant or project, or no bill of the month.
        RegistryError: a fixed fee has another currency than the bill.
    """
    lines = preview_statements(installation, tenant, month, project)
    title = installation.registry.tenant(tenant).display_name
    state = state_of_month(installation, tenant, month).text
    return [
        StatementDocument(tenant, title, key[1], [_part(None, lines, key)], state)
        for key in _keys(lines)
    ]


def stated_documents(
    installation: Installation, tenant: str, month: str, project: str | None = None
) -> list[StatementDocument]:
    """Read the documents of a closed month (of one project), each with its adjustments.

    Raises:
        Unknown: there is no such tenant, the month is not closed, or the project has no statement.
        DamagedFile, ForeignFile: a file of the month is not the one that was published.
    """
    versions = read_statements(installation, tenant, month, project)
    title = installation.registry.tenant(tenant).display_name
    every = [line for version in versions for line in version.lines]
    documents = []
    for key in _keys(every):
        parts = [_part(version.entry, version.lines, key) for version in versions]
        filled = [part for part in parts if part.lines]
        documents.append(StatementDocument(tenant, title, key[1], filled))
    return documents


def _keys(lines: Sequence[StatementLine]) -> list[tuple[str, str]]:
    return sorted({(line.project, line.billing_currency) for line in lines})


def _part(
    entry: StatementEntry | None, lines: Sequence[StatementLine], key: tuple[str, str]
) -> DocumentPart:
    own = [line for line in lines if (line.project, line.billing_currency) == key]
    printed = round_to_total([line.amount for line in own], digits_of(key[1]))
    return DocumentPart(entry, [PrintedLine(*pair) for pair in zip(own, printed, strict=True)])
