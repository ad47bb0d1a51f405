"""Building the partitions of a month that are out of date: all of them, or none.

Put here: whatever is common to all tables made of partitions. Keep out: the contents of a partition
(focus, reconciliation), how a publication becomes visible (publish.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.ledger import PartitionRecord
from finops_pipeline.ledger.stored_files import Place


@dataclass(frozen=True)
class StagedPartition:
    """A partition that has been written and verified; `file` is None when it has no rows."""

    record: PartitionRecord
    file: Path | None


@dataclass(frozen=True)
class PartitionOutcome:
    """The outcome of updating a partition: `built`, `unchanged` or `empty`."""

    outcome: str
    record: PartitionRecord


class MonthOfPartitions(Protocol):
    """One month of a table, as a stage builds it; the builder decides when."""

    table: str
    month: str
    is_forced: bool
    """Whether to build partitions even if they were built from the same inputs before."""

    def list_fingerprints(self) -> dict[str, str]:
        """Return the current fingerprint of each partition's inputs, by the partition's key."""

    def choose_due(self, stale: Sequence[str]) -> Sequence[str]:
        """Return the keys to build when these are out of date or were never built."""

    def build(self, fingerprints: dict[str, str]) -> list[StagedPartition]:
        """Write these partitions beside the lake and verify them.

        Raises:
            IntegrityCheckFailed: their totals differ from those of their inputs.
        """

    def record_totals(self, partition: StagedPartition) -> None:
        """Add to the publication whatever belongs to a partition besides its file and record."""


class PartitionBuilder:
    """An updater of partitions, which adds the changes to a publication."""

    def __init__(self, publication: Publication) -> None:
        self._publication = publication

    def update(self, month: MonthOfPartitions) -> list[PartitionOutcome]:
        """Build the partitions of a month that are out of date, and add them to the publication.

        Nothing is added unless all partitions of the month are correct.

        Raises:
            IntegrityCheckFailed: see `MonthOfPartitions.build`.
        """
        stored = {
            key: record
            for (key, _), record in self._publication.partitions(month.table, month.month).items()
        }
        fingerprints = month.list_fingerprints()
        stale = [
            key
            for key in fingerprints
            if month.is_forced or not self._is_current(stored, key, fingerprints)
        ]
        due = month.choose_due(stale)
        outcomes = [
            PartitionOutcome("unchanged", stored[key]) for key in fingerprints if key not in stale
        ]
        if not due:
            return outcomes
        staged = month.build({key: fingerprints[key] for key in due})
        with self._publication.all_or_nothing():
            for partition in staged:
                self._put(partition)
                month.record_totals(partition)
        return [o for o in outcomes if o.record.key not in due] + [
            PartitionOutcome("built" if p.record.rows else "empty", p.record) for p in staged
        ]

    def _is_current(
        self, stored: dict[str, PartitionRecord], key: str, fingerprints: dict[str, str]
    ) -> bool:
        record = stored.get(key)
        if record is None or record.fingerprint != fingerprints[key]:
            return False
        place = (record.table_name, record.key, record.billing_period)
        path = self._publication.current(*place)
        return record.rows == 0 or (path is not None and path.exists())

    def _put(self, partition: StagedPartition) -> None:
        record = partition.record
        place = Place(record.table_name, record.key, record.billing_period)
        if partition.file:
            self._publication.put(place, partition.file)
        else:
            self._publication.drop(place)
        self._publication.build(record)
