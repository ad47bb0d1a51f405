"""Records of a ledger: deliveries, partitions and refusals, and how stored rows become records.

Put here: dataclasses and parsing of stored rows. Keep out: the tables (schema.py), reading and
writing them (ledger.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar, overload

from finops_pipeline.money import exact_sum


@dataclass(frozen=True)
class FileRecord:
    """One file of a delivery: name, bytes, SHA-256, rows that came from it."""

    name: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True)
class TotalRecord:
    """The costs of a delivery in one currency for one account, line item type and service.

    `service` is named as in the source: the product code of a CUR, ServiceName of FOCUS; empty
    where the source has none, and in deliveries that landed before it was stored.
    """

    billing_currency: str
    sub_account_id: str
    line_item_type: str
    rows: int
    billed_cost: Decimal
    service: str = ""


@dataclass(frozen=True)
class ProjectTotal:
    """Totals of the charges of a delivery in one project, service and currency.

    Costs are exact decimal text: there are many totals, and they are only copied.
    """

    delivery_id: str
    project: str
    service_name: str
    billing_currency: str
    charges: int
    billed_cost: str
    effective_cost: str


@dataclass(frozen=True)
class DeliveryRecord:
    """A delivery that landed; the one that is published for its month is `current`.

    `listing_fingerprint` changes whenever the manifest or the names, sizes or times of the files
    change. `columns`: name -> DuckDB type as landed; empty in deliveries that landed before it was
    stored. `billed`: the sums of `totals` per currency as the ledger stores them, so that a list of
    deliveries need not add them up. `values_unreadable`: column -> how many of its values are null
    because they could not be read. `account_ids_restored`: rows whose account id had lost its
    leading zeros.
    """

    delivery_id: str
    source: str
    billing_period: str
    format: str
    execution_id: str
    manifest: str
    listing_fingerprint: str
    landed_at: str
    size_bytes: int
    rows_read: int
    rows_kept: int
    rows_quarantined: int
    values_rounded: int
    files: Sequence[FileRecord] = ()
    totals: Sequence[TotalRecord] = ()
    current: bool = True
    columns: dict[str, str] = field(default_factory=dict)
    billed: dict[str, str] = field(default_factory=dict)
    values_unreadable: dict[str, int] = field(default_factory=dict)
    account_ids_restored: int = 0

    def billed_by_currency(self) -> dict[str, Decimal]:
        """Return the exact billed cost per currency."""
        if self.billed:
            return {currency: Decimal(cost) for currency, cost in self.billed.items()}
        currencies = sorted({total.billing_currency for total in self.totals})
        return {
            currency: exact_sum(
                total.billed_cost for total in self.totals if total.billing_currency == currency
            )
            for currency in currencies
        }


@dataclass(frozen=True)
class DeliverySummary:
    """The fields of a delivery that a list of all deliveries needs."""

    delivery_id: str
    source: str
    billing_period: str
    execution_id: str
    landed_at: str
    rows_read: int
    current: bool


@dataclass(frozen=True)
class Finding:
    """A rule of conformance that `rows` charges of a source break.

    `is_known_gap`: AWS documents that its export breaks it. `example`: the columns of one of these
    rows that the rule concerns, as a JSON object.
    """

    source: str
    rule: str
    rows: int
    is_known_gap: bool
    example: str


@dataclass(frozen=True)
class PartitionRecord:
    """A published partition: the state of its inputs that it was built from, and its totals.

    `totals`: rows of partition_totals (focus/costs_partitions.py). `rows` is 0 and there is no file
    when nothing belongs to the partition. `findings`: the rules that its charges break
    (focus/conformance.py).
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
    findings: tuple[Finding, ...] = ()


class RefusalKind(StrEnum):
    """Why a delivery was not landed: an expected error, a crash, or a newer one had landed."""

    REFUSED = "refused"
    CRASHED = "crashed"
    OLDER = "older"


@dataclass(frozen=True)
class Refusal:
    """The latest delivery of a month that was not landed, and why; `kind` is a RefusalKind."""

    source: str
    billing_period: str
    reason: str
    refused_at: str
    kind: str = RefusalKind.REFUSED


def describe_fewer_rows(before: int, record: DeliveryRecord) -> str:
    """Describe that a delivery has fewer rows than the one before it; empty if it has not."""
    if record.rows_read >= before:
        return ""
    return f"fewer rows than the previous delivery ({before} → {record.rows_read})"


def exact_text(value: object) -> str:
    """Format a value that has no JSON type; a Decimal exactly."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def parse_amount(name: str, value: Any) -> Any:
    """Parse a stored value: in a column `…_cost`, text becomes Decimal."""
    return Decimal(value) if name.endswith("_cost") else value


T = TypeVar("T")


class LazyRecords(Sequence[T]):
    """Records stored as JSON text and parsed on first use, as most callers do not need them.

    Args:
        text: a JSON list of objects.
        make: makes a record of one object.
    """

    def __init__(self, text: str, make: Callable[[dict[str, Any]], T]) -> None:
        self._text = text
        self._make = make

    @cached_property
    def _items(self) -> tuple[T, ...]:
        return tuple(self._make(entry) for entry in json.loads(self._text))

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


def parse_delivery(row: dict[str, Any]) -> DeliveryRecord:
    """Parse a row of `deliveries`; in an older ledger it lacks some columns."""
    fields = {
        "listing_fingerprint": row.pop("quick_mark"),
        "files": LazyRecords(row.pop("files"), lambda entry: FileRecord(**entry)),
        "totals": LazyRecords(row.pop("totals"), _parse_total),
        "columns": json.loads(row.pop("columns", "{}")),
        "billed": json.loads(row.pop("billed", "{}")),
        "values_unreadable": json.loads(row.pop("values_unreadable", "{}")),
    }
    return DeliveryRecord(**row, **fields)


def delivery_row(record: DeliveryRecord) -> dict[str, Any]:
    """Return a delivery as a row of `deliveries`, from which `parse_delivery` makes it again."""
    row: dict[str, Any] = {item.name: getattr(record, item.name) for item in fields(record)}
    row["quick_mark"] = row.pop("listing_fingerprint")
    row["files"] = json.dumps([asdict(file) for file in record.files])
    row["totals"] = json.dumps([asdict(total) for total in record.totals], default=exact_text)
    row["columns"] = json.dumps(record.columns)
    row["values_unreadable"] = json.dumps(record.values_unreadable)
    row["billed"] = json.dumps(record.billed_by_currency(), default=exact_text)
    return row


def _parse_total(entry: dict[str, Any]) -> TotalRecord:
    return TotalRecord(**{name: parse_amount(name, value) for name, value in entry.items()})


def parse_partition(row: dict[str, Any]) -> PartitionRecord:
    """Parse a row of `partitions`."""
    inputs = json.loads(row.pop("inputs"))
    totals = tuple(
        {name: parse_amount(name, value) for name, value in total.items()}
        for total in json.loads(row.pop("totals"))
    )
    findings = tuple(Finding(**finding) for finding in json.loads(row.pop("findings", "[]")))
    return PartitionRecord(**row, inputs=inputs, totals=totals, findings=findings)
