"""The ledger: what landed, what each partition was built from, what was refused and why.

Put here: the tables of a tenant's ledger.sqlite and how they are read and written. Keep out:
moving files (publish.py) and deciding what is true (focus/reconcile.py).

Money stands as text, exactly. Writers are functions that take a connection, so that several
of them and the moves of files commit in one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.money import exact_sum

LedgerError = sa.exc.SQLAlchemyError
"""What a ledger or registry that cannot be read or written raises."""

Write = Callable[[sa.Connection], None]

_meta = sa.MetaData()
_deliveries = sa.Table(
    "deliveries",
    _meta,
    sa.Column("delivery_id", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("execution_id", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("quick_mark", sa.String(64), nullable=False),
    sa.Column("landed_at", sa.String(25), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("rows_read", sa.Integer, nullable=False),
    sa.Column("rows_kept", sa.Integer, nullable=False),
    sa.Column("rows_quarantined", sa.Integer, nullable=False),
    sa.Column("values_rounded", sa.Integer, nullable=False),
    sa.Column("files", sa.Text, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
)
_partitions = sa.Table(
    "partitions",
    _meta,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("built_at", sa.String(25), nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
)
_refusals = sa.Table(
    "refusals",
    _meta,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refused_at", sa.String(25), nullable=False),
)
_moves = sa.Table(
    "moves",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("staged", sa.Text),
    sa.Column("final", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class FileRecord:
    """One file of a delivery: name, bytes, SHA-256, rows that came from it."""

    name: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True)
class TotalRecord:
    """What a delivery bills in one currency for one account and line item type."""

    billing_currency: str
    sub_account_id: str
    line_item_type: str
    rows: int
    billed_cost: Decimal


@dataclass(frozen=True)
class DeliveryRecord:
    """A delivery that landed; `current` marks the one that is published for its month."""

    delivery_id: str
    source: str
    billing_period: str
    format: str
    execution_id: str
    manifest: str
    quick_mark: str
    landed_at: str
    size_bytes: int
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    values_rounded: int
    files: tuple[FileRecord, ...] = ()
    totals: tuple[TotalRecord, ...] = ()
    current: bool = True

    def billed_by_currency(self) -> dict[str, Decimal]:
        """Billed cost per currency, exact."""
        currencies = sorted({total.billing_currency for total in self.totals})
        return {
            currency: exact_sum(
                total.billed_cost for total in self.totals if total.billing_currency == currency
            )
            for currency in currencies
        }


@dataclass(frozen=True)
class PartitionRecord:
    """A published partition: which state of its inputs it was built from, and its totals.

    `totals` are rows as focus/conform.py's partition_totals makes them. `rows` is 0 and
    there is no file when nothing belongs to the partition.
    """

    table_name: str
    key: str
    billing_period: str
    fingerprint: str
    rows: int
    size_bytes: int
    built_at: str
    inputs: dict[str, str] = field(default_factory=dict)
    totals: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why the newest delivery of a month was not taken."""

    source: str
    billing_period: str
    reason: str
    refused_at: str


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
            _meta.create_all(db)
            for write in writes:
                write(db)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        if not self._path.exists():
            yield None
            return
        with self._engine.connect() as db:
            yield db if sa.inspect(db).has_table("moves") else None

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._reading() as db:
            return [dict(row) for row in db.execute(query).mappings()] if db is not None else []

    def deliveries(self, source: str | None = None) -> list[DeliveryRecord]:
        """Current deliveries (of one source), by source and month."""
        query = sa.select(_deliveries).where(_deliveries.c.current)
        if source is not None:
            query = query.where(_deliveries.c.source == source)
        order = query.order_by(_deliveries.c.source, _deliveries.c.billing_period)
        return [_delivery(row) for row in self._rows(order)]

    def delivery(self, source: str, month: str) -> DeliveryRecord | None:
        """The current delivery of a month, if one landed."""
        found = [d for d in self.deliveries(source) if d.billing_period == month]
        return found[0] if found else None

    def partitions(self, table: str) -> dict[tuple[str, str], PartitionRecord]:
        """Published partitions of a table by (key, billing period)."""
        query = sa.select(_partitions).where(_partitions.c.table_name == table)
        return {(row["key"], row["billing_period"]): _partition(row) for row in self._rows(query)}

    def refusals(self) -> dict[tuple[str, str], Refusal]:
        """Refused deliveries by (source, billing period)."""
        found = [Refusal(**row) for row in self._rows(sa.select(_refusals))]
        return {(refusal.source, refusal.billing_period): refusal for refusal in found}

    def moves(self) -> list[tuple[int, str | None, str]]:
        """Committed moves that may not have been carried out: (id, staged or None, final)."""
        rows = self._rows(sa.select(_moves).order_by(_moves.c.id))
        return [(row["id"], row["staged"], row["final"]) for row in rows]


def mark(said: object) -> str:
    """A checksum of plain data: the same words give the same mark."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def landed(record: DeliveryRecord) -> Write:
    """Write a delivery as its month's current one; earlier ones stay, no longer current."""

    def write(db: sa.Connection) -> None:
        same_month = (_deliveries.c.source == record.source) & (
            _deliveries.c.billing_period == record.billing_period
        )
        db.execute(sa.update(_deliveries).where(same_month).values(current=False))
        same_id = _deliveries.c.delivery_id == record.delivery_id
        db.execute(sa.delete(_deliveries).where(same_id))
        row = asdict(record)
        row["files"] = json.dumps(row["files"])
        row["totals"] = json.dumps(row["totals"], default=_plain)
        db.execute(sa.insert(_deliveries), row)
        db.execute(sa.delete(_refusals).where(_same_refusal(record.source, record.billing_period)))

    return write


def seen_again(delivery_id: str, quick_mark: str) -> Write:
    """Note that a delivery's files were touched but hold the same bytes."""

    def write(db: sa.Connection) -> None:
        same = _deliveries.c.delivery_id == delivery_id
        db.execute(sa.update(_deliveries).where(same).values(quick_mark=quick_mark))

    return write


def refused(refusal: Refusal) -> Write:
    """Write why a month's delivery was not taken, over an earlier reason."""

    def write(db: sa.Connection) -> None:
        db.execute(
            sa.delete(_refusals).where(_same_refusal(refusal.source, refusal.billing_period))
        )
        db.execute(sa.insert(_refusals), asdict(refusal))

    return write


def accepted(source: str, month: str) -> Write:
    """Forget a refusal: the month's delivery is in order (again)."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.delete(_refusals).where(_same_refusal(source, month)))

    return write


def built(record: PartitionRecord) -> Write:
    """Write a partition's record over its earlier one."""

    def write(db: sa.Connection) -> None:
        same = (
            (_partitions.c.table_name == record.table_name)
            & (_partitions.c.key == record.key)
            & (_partitions.c.billing_period == record.billing_period)
        )
        db.execute(sa.delete(_partitions).where(same))
        row = asdict(record)
        row["inputs"] = json.dumps(row["inputs"], sort_keys=True)
        row["totals"] = json.dumps(row["totals"], default=_plain)
        db.execute(sa.insert(_partitions), row)

    return write


def intend_move(staged: str | None, final: str) -> Write:
    """Write that a staged file goes to its place (or, staged None, that a file goes away)."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.insert(_moves), {"staged": staged, "final": final})

    return write


def moved(db: sa.Connection) -> None:
    """Forget all moves: they are carried out."""
    db.execute(sa.delete(_moves))


def _same_refusal(source: str, month: str) -> sa.ColumnElement[bool]:
    return (_refusals.c.source == source) & (_refusals.c.billing_period == month)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def _delivery(row: dict[str, Any]) -> DeliveryRecord:
    files = tuple(FileRecord(**entry) for entry in json.loads(row.pop("files")))
    totals = tuple(
        TotalRecord(**{**entry, "billed_cost": Decimal(entry["billed_cost"])})
        for entry in json.loads(row.pop("totals"))
    )
    return DeliveryRecord(**row, files=files, totals=totals)


def _partition(row: dict[str, Any]) -> PartitionRecord:
    inputs = json.loads(row.pop("inputs"))
    totals = tuple(
        {k: Decimal(v) if k.endswith("_cost") else v for k, v in total.items()}
        for total in json.loads(row.pop("totals"))
    )
    return PartitionRecord(**row, inputs=inputs, totals=totals)
