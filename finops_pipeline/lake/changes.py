"""The changes that a publication makes to a tenant.

Put here: each kind of change, and how it is recorded in the ledger. Keep out: collecting and
committing them (publish.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline.ledger.bill_totals import BillTotal, ProjectMonth, record_bill_totals
from finops_pipeline.ledger.ledger import (
    PartitionRecord,
    ProjectTotal,
    Write,
    record_partition,
    record_project_totals,
)
from finops_pipeline.ledger.stored_files import Place, StoredFile, record_file


@dataclass(frozen=True)
class FileChange:
    """The new file of a partition; None if it no longer has one."""

    place: Place
    file: StoredFile | None


@dataclass(frozen=True)
class RecordChange:
    """The record of a partition."""

    record: PartitionRecord


@dataclass(frozen=True)
class DeliveryTotalsChange:
    """The totals of a delivery in a project."""

    delivery_id: str
    project: str
    totals: tuple[ProjectTotal, ...]


@dataclass(frozen=True)
class BillTotalsChange:
    """The totals of a project's landed rows of a month."""

    slice: ProjectMonth
    totals: tuple[BillTotal, ...]


@dataclass(frozen=True)
class LedgerChange:
    """Any other write to the ledger."""

    write: Write


Change = FileChange | RecordChange | DeliveryTotalsChange | BillTotalsChange | LedgerChange


def write_of(change: Change) -> Write:
    """Return the write to the ledger that records a change."""
    match change:
        case FileChange(place, file):
            return record_file(place, file)
        case RecordChange(record):
            return record_partition(record)
        case DeliveryTotalsChange(delivery_id, project, totals):
            return record_project_totals(delivery_id, project, totals)
        case BillTotalsChange(key, bill_totals):
            return record_bill_totals(key, bill_totals)
        case LedgerChange(write):
            return write
