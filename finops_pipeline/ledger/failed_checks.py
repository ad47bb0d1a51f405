"""The checks that failed when a month was last built, as the ledger records them.

Put here: the record of a month's failed checks. Keep out: running checks and all their results
(marts/results.py), what a failed check means for a month (reconciliation/failed_check_notes.py).

They are in the ledger, next to the totals from which states are computed, so that `finops status`
and the table `data_status` agree, and computing a state does not need DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of

FAILED_CHECKS = "failed_checks"
"""The table name under which the ledger stores these records."""

_EVERY_PROJECT = "-"


@dataclass(frozen=True)
class FailedCheck:
    """A check that found rows. `is_doubt`: whether they make the sums of the month doubtful."""

    name: str
    rows: int
    is_doubt: bool


FailedByMonth = Mapping[str, Sequence[FailedCheck]]


def record_failed_checks(month: str, failed: Sequence[FailedCheck]) -> PartitionRecord:
    """Return the record of a month's failed checks, even if there are none."""
    totals = tuple(asdict(check) for check in failed)
    return PartitionRecord(
        table_name=FAILED_CHECKS,
        key=_EVERY_PROJECT,
        billing_period=month,
        fingerprint=fingerprint_of([repr(totals)]),
        rows=0,
        size_bytes=0,
        built_at="",
        totals=totals,
    )


def failed_by_month(records: Mapping[tuple[str, str], PartitionRecord]) -> FailedByMonth:
    """Return the failed checks of each month from the records of all months."""
    return {
        month: [FailedCheck(**total) for total in record.totals]
        for (_, month), record in records.items()
        if record.totals
    }
