"""Closed statements and adjustments as the ledger records them.

Put here: reading and writing the table `statements` of ledger.sqlite. Keep out: their lines, which
are in files of their own (lake/statement_files.py), and when one may be closed (application).

Rows are only added: nothing changes or removes an entry, and a version of a month exists once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import STATEMENTS


class StatementKind(StrEnum):
    """The statement of a month, or a later adjustment of it."""

    STATEMENT = "statement"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True)
class StatementEntry:
    """One version of a month: version 1 is the statement, each later one an adjustment.

    `month_state` is the state of the month when it was closed; `reason` is what was given for
    closing or adjusting it, or empty. `sha256` and `size_bytes` are those of the file of its lines.
    """

    billing_period: str
    version: int
    kind: str
    closed_at: str
    month_state: str
    reason: str
    lines: int
    sha256: str
    size_bytes: int


def read_statement_entries(ledger: Ledger, month: str | None = None) -> list[StatementEntry]:
    """Read the entries (of one month), by month and version."""
    where = [] if month is None else [STATEMENTS.c.billing_period == month]
    names = [field.name for field in fields(StatementEntry)]
    rows = ledger.rows(STATEMENTS, *where)
    entries = [StatementEntry(**{name: row[name] for name in names}) for row in rows]
    return sorted(entries, key=lambda entry: (entry.billing_period, entry.version))


def record_statement(entry: StatementEntry) -> Write:
    """Record a version of a month, which must be new."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.insert(STATEMENTS), asdict(entry))

    return write
