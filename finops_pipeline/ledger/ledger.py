"""The ledger of a tenant: deliveries that landed, inputs of partitions, refused deliveries.

Put here: reading and writing ledger.sqlite. Keep out: its tables (schema.py), its records
(records.py), moving files (lake), the state of a month (reconciliation).

Money is stored as exact decimal text. A `record_…` or `clear_…` function returns a write, which
takes a connection, so that several writes and the moves of files commit in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.versions import VERSIONS
from finops_pipeline.ledger.condition import naming_damage
from finops_pipeline.ledger.ownership import Identity, Owner, check_owner, read_owner
from finops_pipeline.ledger.records import (
    DeliveryRecord,
    DeliverySummary,
    FileRecord,
    Finding,
    PartitionRecord,
    ProjectTotal,
    Refusal,
    TotalRecord,
    delivery_row,
    describe_fewer_rows,
    exact_text,
    parse_delivery,
    parse_partition,
)
from finops_pipeline.ledger.schema import (
    DELIVERIES,
    DELIVERY_TOTALS,
    MOVES,
    OWNER,
    PARTITIONS,
    REFUSALS,
    SCHEMA,
    Shape,
    read_shape,
)
from finops_pipeline.tenants.model import SourceFormat

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
    "DeliverySummary",
    "TotalRecord",
    "describe_fewer_rows",
    "fingerprint_of",
]

LedgerError = sa.exc.SQLAlchemyError
"""The error that is raised if a ledger or registry cannot be read or written."""

LEDGER_FAILURES = (sa.exc.OperationalError, sa.exc.DatabaseError)
"""The exact types of these errors whose cause is the file or server: locked, damaged, not
writable."""

Write = Callable[[sa.Connection], None]


class Ledger:
    """The ledger of one tenant. A ledger that does not exist yet reads as empty.

    Every method raises SchemaTooNew when a newer version of finops_pipeline wrote the ledger,
    ForeignFile when it belongs to another tenant or installation, and DamagedFile when SQLite
    cannot read it.

    Args:
        path: the file; the first write creates it.
        identity: whose ledger it has to be; None: anybody's.
    """

    def __init__(self, path: Path, identity: Identity | None = None) -> None:
        self._path = path
        self._identity = identity
        self._shape: tuple[tuple[int, int], Shape] | None = None
        self._engine = open_engine(sa.URL.create("sqlite", database=str(path)))

    def write(self, *writes: Write) -> None:
        """Perform all writes in one transaction, which also upgrades an older ledger.

        Raises:
            SchemaTooNew: the ledger was written by a newer version of finops_pipeline.
        """
        with self._naming_damage(), begin_write(self._engine) as db:
            self._check(db)
            SCHEMA.prepare(db)
            for write in writes:
                write(db)

    def _rows(
        self, table: sa.Table, *where: sa.ColumnElement[bool], only: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Read rows with the columns that this ledger has; an older ledger has fewer."""
        if not self._path.exists():
            return []
        with self._naming_damage(), self._engine.connect() as db:
            shape, _ = self._check(db)
            if table.name not in shape:
                return []
            names = shape[table.name] & set(only) if only else shape[table.name]
            query = sa.select(*(c for c in table.columns if c.name in names)).where(*where)
            query = query.order_by(sa.text("rowid"))  # as written: times are to the second
            return [dict(row) for row in db.execute(query).mappings()]

    def owner(self) -> Owner | None:
        """Read whose the ledger is; None if it is new or from before owners were stored."""
        if not self._path.exists():
            return None
        with self._naming_damage(), self._engine.connect() as db:
            return self._check(db)[1]

    def _naming_damage(self) -> AbstractContextManager[None]:
        return naming_damage(self._path, self._identity.tenant if self._identity else "TENANT")

    def copy_to(self, target: Path) -> None:
        """Write the ledger as it is, between two transactions, to a new file; do not sync it."""
        with closing(sqlite3.connect(target)) as copy, self._engine.connect() as db:
            copy.execute("pragma synchronous = off")
            source = db.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(copy)

    def compact(self) -> None:
        """Rewrite the file, so that it no longer holds the bytes of rows that were removed."""
        with closing(sqlite3.connect(self._path)) as db:
            db.execute("vacuum")

    def _check(self, db: sa.Connection) -> tuple[Shape, Owner | None]:
        """Check the version and the owner of the ledger; return its shape and its owner."""
        shape = self._read_shape(db)
        if VERSIONS.name in shape:
            SCHEMA.read_version(db)
        owner = read_owner(db) if OWNER.name in shape else None
        if owner is not None and self._identity is not None:
            check_owner(owner, self._identity, str(self._path))
        return shape, owner

    def _read_shape(self, db: sa.Connection) -> Shape:
        """Read the shape, but only once as long as neither the file nor its tables are replaced."""
        version = db.exec_driver_sql("pragma schema_version").scalar_one()
        try:
            key = (self._path.stat().st_ino, version)
        except FileNotFoundError:  # purged or replaced meanwhile; `db` still reads the former file
            return read_shape(db)
        if self._shape is None or self._shape[0] != key:
            self._shape = (key, read_shape(db))
        return self._shape[1]

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
        """Read rows of a table of schema.py whose records have their own module."""
        return self._rows(table, *where)

    def deliveries(
        self, source: str | None = None, month: str | None = None
    ) -> list[DeliveryRecord]:
        """Read current deliveries (of one source, of one month), by source and month."""
        where: list[sa.ColumnElement[bool]] = [DELIVERIES.c.current]
        if source is not None:
            where.append(DELIVERIES.c.source == source)
        if month is not None:
            where.append(DELIVERIES.c.billing_period == month)
        deliveries = [parse_delivery(row) for row in self._rows(DELIVERIES, *where)]
        return sorted(deliveries, key=lambda d: (d.source, d.billing_period))

    def delivery_versions(self, source: str, month: str) -> list[DeliveryRecord]:
        """Read superseded and current deliveries of a month, in the order in which they landed."""
        same = (DELIVERIES.c.source == source) & (DELIVERIES.c.billing_period == month)
        deliveries = [parse_delivery(row) for row in self._rows(DELIVERIES, same)]
        return sorted(deliveries, key=lambda d: (d.current, d.landed_at))

    def legacy_columns(self) -> list[tuple[str, ...]]:
        """Read the columns of each legacy report that has landed, superseded ones included."""
        is_legacy = DELIVERIES.c.format == SourceFormat.LEGACY_CUR.value
        rows = self._rows(DELIVERIES, is_legacy, only=["columns"])
        return [tuple(json.loads(row["columns"])) for row in rows]

    def delivery_summaries(self) -> list[DeliverySummary]:
        """Read all deliveries, without totals, superseded ones first, in the order of landing."""
        names = [item.name for item in fields(DeliverySummary)]
        rows = self._rows(DELIVERIES, only=names)
        return sorted(
            (DeliverySummary(**row) for row in rows), key=lambda d: (d.current, d.landed_at)
        )

    def delivery_totals(self) -> list[ProjectTotal]:
        """Read totals per project and service of all deliveries whose charges were built."""
        return [ProjectTotal(**row) for row in self._rows(DELIVERY_TOTALS)]

    def delivery(self, source: str, month: str) -> DeliveryRecord | None:
        """Read the current delivery of a month; None if none has landed."""
        deliveries = self.deliveries(source, month)
        return deliveries[0] if deliveries else None

    def partitions(
        self, table: str, month: str | None = None
    ) -> dict[tuple[str, str], PartitionRecord]:
        """Read published partitions of a table (of one month) by (key, billing period)."""
        where = [PARTITIONS.c.table_name == table]
        if month is not None:
            where.append(PARTITIONS.c.billing_period == month)
        rows = self._rows(PARTITIONS, *where)
        return {(row["key"], row["billing_period"]): parse_partition(row) for row in rows}

    def refusals(self) -> dict[tuple[str, str], Refusal]:
        """Read refused deliveries by (source, billing period)."""
        refusals = (Refusal(**row) for row in self._rows(REFUSALS))
        return {(refusal.source, refusal.billing_period): refusal for refusal in refusals}

    def moves(self) -> list[tuple[int, str | None, str]]:
        """Read committed moves that may not have been carried out: (id, staged or None, final)."""
        rows = sorted(self._rows(MOVES), key=lambda row: int(row["id"]))
        return [(row["id"], row["staged"], row["final"]) for row in rows]


def fingerprint_of(data: object) -> str:
    """Compute the SHA-256 of plain data as JSON: equal data has equal fingerprints."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def record_delivery(record: DeliveryRecord) -> Write:
    """Record a delivery as the current one of its month; earlier ones are no longer current.

    The bytes of an earlier delivery may be delivered again (A, B, A). Then the earlier record and
    its totals get a new id, the old one and a count, because it was current at another time.
    """

    def write(db: sa.Connection) -> None:
        same_month = (DELIVERIES.c.source == record.source) & (
            DELIVERIES.c.billing_period == record.billing_period
        )
        same_id = DELIVERIES.c.delivery_id == record.delivery_id
        db.execute(sa.delete(DELIVERIES).where(same_id & DELIVERIES.c.current))
        db.execute(sa.update(DELIVERIES).where(same_month).values(current=False))
        _rename_earlier(db, record.delivery_id)
        db.execute(sa.insert(DELIVERIES), delivery_row(record))
        db.execute(sa.delete(REFUSALS).where(_same_refusal(record.source, record.billing_period)))

    return write


def _rename_earlier(db: sa.Connection, delivery_id: str) -> None:
    """Give an earlier delivery of the same bytes a new id; its totals stay under both ids."""
    same = DELIVERIES.c.delivery_id == delivery_id
    before = DELIVERIES.c.delivery_id.like(f"{delivery_id}.%")
    count = db.execute(sa.select(sa.func.count()).where(before)).scalar_one()
    new_id = f"{delivery_id}.{count + 1}"
    if not db.execute(sa.update(DELIVERIES).where(same).values(delivery_id=new_id)).rowcount:
        return
    totals = sa.select(DELIVERY_TOTALS).where(DELIVERY_TOTALS.c.delivery_id == delivery_id)
    rows = [dict(row) | {"delivery_id": new_id} for row in db.execute(totals).mappings()]
    if rows:
        db.execute(sa.insert(DELIVERY_TOTALS), rows)


def record_redelivery(
    delivery_id: str, listing_fingerprint: str, execution_id: str, manifest: str
) -> Write:
    """Record that the same bytes were delivered again, with other times or another id of AWS."""

    def write(db: sa.Connection) -> None:
        same = DELIVERIES.c.delivery_id == delivery_id
        values = {"quick_mark": listing_fingerprint, "execution_id": execution_id}
        db.execute(sa.update(DELIVERIES).where(same).values(**values, manifest=manifest))

    return write


def record_project_totals(
    delivery_id: str, project: str, totals: tuple[ProjectTotal, ...]
) -> Write:
    """Record the totals of a delivery in a project, in place of earlier ones."""

    def write(db: sa.Connection) -> None:
        table = DELIVERY_TOTALS
        same = (table.c.delivery_id == delivery_id) & (table.c.project == project)
        db.execute(sa.delete(table).where(same))
        if totals:
            db.execute(sa.insert(table), [asdict(total) for total in totals])

    return write


def record_refusal(refusal: Refusal) -> Write:
    """Record why a month's delivery was not accepted, in place of an earlier reason."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.delete(REFUSALS).where(_same_refusal(refusal.source, refusal.billing_period)))
        db.execute(sa.insert(REFUSALS), asdict(refusal))

    return write


def clear_refusal(source: str, month: str) -> Write:
    """Remove a refusal, because the month's delivery is accepted now."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.delete(REFUSALS).where(_same_refusal(source, month)))

    return write


def record_partition(record: PartitionRecord) -> Write:
    """Record a partition in place of its earlier record."""

    def write(db: sa.Connection) -> None:
        same = (
            (PARTITIONS.c.table_name == record.table_name)
            & (PARTITIONS.c.key == record.key)
            & (PARTITIONS.c.billing_period == record.billing_period)
        )
        db.execute(sa.delete(PARTITIONS).where(same))
        row = asdict(record)
        row["inputs"] = json.dumps(row["inputs"], sort_keys=True)
        row["totals"] = json.dumps(row["totals"], default=exact_text)
        row["findings"] = json.dumps(row["findings"])
        db.execute(sa.insert(PARTITIONS), row)

    return write


def clear_moves(db: sa.Connection) -> None:
    """Remove all moves, because they have been carried out."""
    db.execute(sa.delete(MOVES))


def _same_refusal(source: str, month: str) -> sa.ColumnElement[bool]:
    return (REFUSALS.c.source == source) & (REFUSALS.c.billing_period == month)
