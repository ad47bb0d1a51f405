"""The ledger: what landed, what each partition was built from, what was refused and why.

Put here: how a tenant's ledger.sqlite is read and written. Keep out: its tables
(ledger_tables.py) and records (ledger_records.py), moving files (publish.py), what is true
(reconciliation/statuses.py).

Money stands as text, exactly. Writers are functions that take a connection, so that several
of them and the moves of files commit in one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.ledger.records import (
    DeliveryRecord,
    FileRecord,
    Finding,
    PartitionRecord,
    ProjectTotal,
    Refusal,
    Told,
    TotalRecord,
    delivery_of,
    fewer_rows,
    partition_of,
    plain,
)
from finops_pipeline.ledger.schema import (
    DELIVERIES,
    DELIVERY_TOTALS,
    MOVES,
    PARTITIONS,
    REFUSALS,
    prepare,
    present_columns,
)

__all__ = [
    "LEDGER_FAILURES",
    "DeliveryRecord",
    "FileRecord",
    "Finding",
    "Ledger",
    "LedgerError",
    "PartitionRecord",
    "ProjectTotal",
    "Refusal",
    "Told",
    "TotalRecord",
    "fewer_rows",
    "mark",
]

LedgerError = sa.exc.SQLAlchemyError
"""What a ledger or registry that cannot be read or written raises."""

LEDGER_FAILURES = (sa.exc.OperationalError, sa.exc.DatabaseError)
"""Of these, the exact types that the file or the server causes: locked, damaged, not writable."""

Write = Callable[[sa.Connection], None]


class Ledger:
    """One tenant's ledger. Reading one that does not exist yet finds nothing.

    Args:
        path: the file; it is made by the first write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool
        )

    def write(self, *writes: Write) -> None:
        """Do all writes in one transaction."""
        with self._engine.begin() as db:
            prepare(db)
            for write in writes:
                write(db)

    def _rows(
        self, table: sa.Table, *where: sa.ColumnElement[bool], only: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Rows of a table, of the columns that this ledger has: an older one has fewer."""
        if not self._path.exists():
            return []
        with self._engine.connect() as db:
            present = present_columns(db, table)
            if not present:
                return []
            wanted = present & set(only) if only else present
            query = sa.select(*(c for c in table.columns if c.name in wanted)).where(*where)
            query = query.order_by(sa.text("rowid"))  # as written: times are to the second
            return [dict(row) for row in db.execute(query).mappings()]

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
        """Rows of one of ledger_tables.py that has a module of its own (explorer.py)."""
        return self._rows(table, *where)

    def deliveries(
        self, source: str | None = None, month: str | None = None
    ) -> list[DeliveryRecord]:
        """Current deliveries (of one source, of one month), by source and month."""
        where: list[sa.ColumnElement[bool]] = [DELIVERIES.c.current]
        if source is not None:
            where.append(DELIVERIES.c.source == source)
        if month is not None:
            where.append(DELIVERIES.c.billing_period == month)
        found = [delivery_of(row) for row in self._rows(DELIVERIES, *where)]
        return sorted(found, key=lambda d: (d.source, d.billing_period))

    def every_delivery(self, source: str, month: str) -> list[DeliveryRecord]:
        """Superseded and current deliveries of a month, in the order they landed."""
        same = (DELIVERIES.c.source == source) & (DELIVERIES.c.billing_period == month)
        found = [delivery_of(row) for row in self._rows(DELIVERIES, same)]
        return sorted(found, key=lambda d: (d.current, d.landed_at))

    def told(self) -> list[Told]:
        """All deliveries, superseded and current, in the order they landed; without totals."""
        names = [item.name for item in fields(Told)]
        rows = self._rows(DELIVERIES, only=names)
        return sorted(
            (Told(**row) for row in rows), key=lambda told: (told.current, told.landed_at)
        )

    def delivery_totals(self) -> list[ProjectTotal]:
        """Totals per project and service of all deliveries whose charges were built."""
        return [ProjectTotal(**row) for row in self._rows(DELIVERY_TOTALS)]

    def delivery(self, source: str, month: str) -> DeliveryRecord | None:
        """The current delivery of a month, if one landed."""
        found = self.deliveries(source, month)
        return found[0] if found else None

    def partitions(
        self, table: str, month: str | None = None
    ) -> dict[tuple[str, str], PartitionRecord]:
        """Published partitions of a table (of one month) by (key, billing period)."""
        where = [PARTITIONS.c.table_name == table]
        if month is not None:
            where.append(PARTITIONS.c.billing_period == month)
        rows = self._rows(PARTITIONS, *where)
        return {(row["key"], row["billing_period"]): partition_of(row) for row in rows}

    def refusals(self) -> dict[tuple[str, str], Refusal]:
        """Refused deliveries by (source, billing period)."""
        found = [Refusal(**row) for row in self._rows(REFUSALS)]
        return {(refusal.source, refusal.billing_period): refusal for refusal in found}

    def moves(self) -> list[tuple[int, str | None, str]]:
        """Committed moves that may not have been carried out: (id, staged or None, final)."""
        rows = sorted(self._rows(MOVES), key=lambda row: int(row["id"]))
        return [(row["id"], row["staged"], row["final"]) for row in rows]


def mark(said: object) -> str:
    """A checksum of plain data: the same words give the same mark."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def landed(record: DeliveryRecord) -> Write:
    """Write a delivery as its month's current one; earlier ones stay, no longer current.

    The bytes of an earlier one may come again (A, B, A): then the earlier one goes on, with
    its totals, under its id and a count, for it was believed at another time.
    """

    def write(db: sa.Connection) -> None:
        same_month = (DELIVERIES.c.source == record.source) & (
            DELIVERIES.c.billing_period == record.billing_period
        )
        same_id = DELIVERIES.c.delivery_id == record.delivery_id
        db.execute(sa.delete(DELIVERIES).where(same_id & DELIVERIES.c.current))
        db.execute(sa.update(DELIVERIES).where(same_month).values(current=False))
        _keep_apart(db, record.delivery_id)
        row = {item.name: getattr(record, item.name) for item in fields(record)}
        row["files"] = json.dumps([asdict(file) for file in record.files])
        row["totals"] = json.dumps([asdict(total) for total in record.totals], default=plain)
        row["columns"] = json.dumps(record.columns)
        row["billed"] = json.dumps(record.billed_by_currency(), default=plain)
        db.execute(sa.insert(DELIVERIES), row)
        db.execute(sa.delete(REFUSALS).where(_same_refusal(record.source, record.billing_period)))

    return write


def _keep_apart(db: sa.Connection, delivery_id: str) -> None:
    """Rename an earlier delivery of the same bytes; its totals stay under both ids."""
    same = DELIVERIES.c.delivery_id == delivery_id
    before = DELIVERIES.c.delivery_id.like(f"{delivery_id}.%")
    count = db.execute(sa.select(sa.func.count()).where(before)).scalar_one()
    apart = f"{delivery_id}.{count + 1}"
    if not db.execute(sa.update(DELIVERIES).where(same).values(delivery_id=apart)).rowcount:
        return
    mine = sa.select(DELIVERY_TOTALS).where(DELIVERY_TOTALS.c.delivery_id == delivery_id)
    rows = [dict(row) | {"delivery_id": apart} for row in db.execute(mine).mappings()]
    if rows:
        db.execute(sa.insert(DELIVERY_TOTALS), rows)


def seen_again(delivery_id: str, quick_mark: str, execution_id: str, manifest: str) -> Write:
    """Note that a delivery came again with the same bytes: touched, or under a new id of AWS."""

    def write(db: sa.Connection) -> None:
        same = DELIVERIES.c.delivery_id == delivery_id
        seen = {"quick_mark": quick_mark, "execution_id": execution_id, "manifest": manifest}
        db.execute(sa.update(DELIVERIES).where(same).values(**seen))

    return write


def totalled(delivery_id: str, project: str, totals: tuple[ProjectTotal, ...]) -> Write:
    """Write what a delivery came to in a project, over what stood there."""

    def write(db: sa.Connection) -> None:
        table = DELIVERY_TOTALS
        same = (table.c.delivery_id == delivery_id) & (table.c.project == project)
        db.execute(sa.delete(table).where(same))
        if totals:
            db.execute(sa.insert(table), [asdict(total) for total in totals])

    return write


def refused(refusal: Refusal) -> Write:
    """Write why a month's delivery was not taken, over an earlier reason."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.delete(REFUSALS).where(_same_refusal(refusal.source, refusal.billing_period)))
        db.execute(sa.insert(REFUSALS), asdict(refusal))

    return write


def accepted(source: str, month: str) -> Write:
    """Forget a refusal: the month's delivery is in order (again)."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.delete(REFUSALS).where(_same_refusal(source, month)))

    return write


def built(record: PartitionRecord) -> Write:
    """Write a partition's record over its earlier one."""

    def write(db: sa.Connection) -> None:
        same = (
            (PARTITIONS.c.table_name == record.table_name)
            & (PARTITIONS.c.key == record.key)
            & (PARTITIONS.c.billing_period == record.billing_period)
        )
        db.execute(sa.delete(PARTITIONS).where(same))
        row = asdict(record)
        row["inputs"] = json.dumps(row["inputs"], sort_keys=True)
        row["totals"] = json.dumps(row["totals"], default=plain)
        row["findings"] = json.dumps(row["findings"])
        db.execute(sa.insert(PARTITIONS), row)

    return write


def intend_move(staged: str | None, final: str) -> Write:
    """Write that a staged file goes to its place (or, staged None, that a file goes away)."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.insert(MOVES), {"staged": staged, "final": final})

    return write


def moved(db: sa.Connection) -> None:
    """Forget all moves: they are carried out."""
    db.execute(sa.delete(MOVES))


def _same_refusal(source: str, month: str) -> sa.ColumnElement[bool]:
    return (REFUSALS.c.source == source) & (REFUSALS.c.billing_period == month)
