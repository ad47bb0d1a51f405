"""Land one delivery: its files become one Parquet file of its source and month.

Put here: the order of steps, what makes a delivery acceptable, its record in the ledger. Keep
out: reading files (relation.py), validating rows (validation.py), quarantine (quarantine.py).

Reads: the delivery's files   Writes: landing, quarantine, ledger
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.errors import DeliveryMoving, DeliveryRefused, EmptyDelivery, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.changed_files import has_file
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    columns_of,
    empty_columns,
    scratch_connection,
    text,
)
from finops_pipeline.lake.landing_records import LandingRecord
from finops_pipeline.lake.layout import LANDING, QUARANTINE
from finops_pipeline.lake.publish import Publication, Writer
from finops_pipeline.landing.account_ids import AccountColumns, restore_account_ids
from finops_pipeline.landing.column_names import renames_of
from finops_pipeline.landing.delivery_order import why_older
from finops_pipeline.landing.landing_task import Landed, LandingOutcome, LandingTask
from finops_pipeline.landing.quarantine import (
    InvalidRows,
    Row,
    read_invalid_rows,
    rejected_records,
    write_rows,
)
from finops_pipeline.landing.record_lengths import refuse_other_lengths
from finops_pipeline.landing.relation import (
    SOURCE_FILE,
    DeliveryFiles,
    ReadableFile,
    open_files,
    relation_of,
    run,
)
from finops_pipeline.landing.validation import RowChecks, Tally, row_checks, tally
from finops_pipeline.ledger import ledger
from finops_pipeline.ledger.ledger import DeliveryRecord, FileRecord, describe_fewer_rows
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.sources.data_exports import Delivery
from finops_pipeline.tenants.model import Source

INFLATION, GROWTH = 6, 2
"""Temporary disk space that a compressed text, or another file, needs, as a multiple of its size.
Real bills inflate to 8 to 15 times; less is required, so that a disk is not refused that might
suffice."""


@dataclass(frozen=True)
class Share:
    """The rows of the files that belong to a delivery: those for which a SQL condition is true.

    `with_rejects`: whether records without readable fields do too. Of several deliveries in the
    same files, only one has them.
    """

    condition: str = "true"
    with_rejects: bool = True


def land(task: LandingTask, delivery: Delivery, share: Share = Share()) -> Landed:
    """Land a delivery, unless the same bytes have landed already.

    Args:
        share: which rows of the files belong to it, if the files have several months.

    Raises:
        DeliveryRefused: it cannot be accepted. What has been published stays.
        DeliveryMoving: a file or the manifest changed while it was read.
        DiskFull: the disk has no room for it.
    """
    writer, source = task.writer, task.source
    before = writer.ledger.delivery(source.name, delivery.billing_period)
    is_same_listing = before and before.listing_fingerprint == delivery.listing_fingerprint
    if before and is_same_listing and _has_partition(writer, before):
        return Landed(LandingOutcome.UNCHANGED, before)
    if before and (older := _describe_older(writer, before, delivery)):
        return Landed(LandingOutcome.OLDER, before, older)
    with writer.publication() as publication:
        _require_room(publication, delivery)
        paths = delivery.location.fetch_all(delivery.files, publication.scratch("fetched"))
        hashes = [files.fingerprint(path) for path in paths]
        delivery_id = _fingerprint(source, delivery, hashes)
        if before and before.delivery_id == delivery_id and _has_partition(writer, before):
            writer.ledger.write(_record_redelivery(before, delivery))
            return Landed(LandingOutcome.UNCHANGED, before)
        work = _Landing(publication, source, delivery, share)
        with scratch_connection(publication.spill, task.limits) as connection:
            record = work.stage(connection, paths, hashes, delivery_id)
        _check_unchanged(delivery)
        if record.rows_read == 0 and before and before.rows_kept:
            raise EmptyDelivery(
                f"{delivery.manifest} delivers no rows for {delivery.billing_period}, which has"
                f" {counted(before.rows_kept, 'published row')}",
                "a delivery with rows",
                "Check the export; the published month stays until a delivery has rows",
            )
        work.publish(record)
    outcome = LandingOutcome.LANDED if record.rows_read else LandingOutcome.EMPTY
    return Landed(outcome, record, describe_fewer_rows(before.rows_read if before else 0, record))


def _describe_older(writer: Writer, before: DeliveryRecord, delivery: Delivery) -> str | None:
    records = writer.ledger.delivery_versions(before.source, before.billing_period)
    return why_older(before, [record for record in records if not record.current], delivery)


def _record_redelivery(before: DeliveryRecord, delivery: Delivery) -> ledger.Write:
    manifest = (delivery.listing_fingerprint, delivery.execution_id, delivery.manifest)
    return ledger.record_redelivery(before.delivery_id, *manifest)


def _has_partition(writer: Writer, record: DeliveryRecord) -> bool:
    month = (record.source, record.billing_period)
    is_landed = record.rows_kept == 0 or has_file(writer, Place(LANDING, *month))
    return is_landed and (
        record.rows_quarantined == 0 or has_file(writer, Place(QUARANTINE, *month))
    )


def _fingerprint(source: Source, delivery: Delivery, hashes: list[str]) -> str:
    """Compute a delivery's fingerprint from its source, month and the bytes of its files."""
    facts = [source.name, source.format.value, delivery.billing_period, *sorted(hashes)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _require_room(publication: Publication, delivery: Delivery) -> None:
    """Check, before downloading, that the disk has room for the files, their text and Parquet."""
    sizes = [(file.name.lower(), file.size_bytes) for file in delivery.files]
    needed = sum(
        size * (INFLATION if name.endswith((".gz", ".zip")) else GROWTH) for name, size in sizes
    )
    files.require_room(
        publication.work, needed, f"{delivery.manifest} of {counted(len(sizes), 'file')}"
    )


def _check_unchanged(delivery: Delivery) -> None:
    """Check that no file changed while it was read; the manifest last, as AWS writes it last."""
    now = delivery.location.reopen()
    manifest = [delivery.manifest_file] if delivery.manifest_file else []
    for file in (*delivery.files, *manifest):
        if now.find_file(file.name) != file:
            raise DeliveryMoving(
                f"{file.name} changed while it was read",
                "files that stay as the manifest describes them",
                "Run again when the delivery has finished",
            )


@dataclass(frozen=True)
class _Staged:
    """The rows copied from the files: their checks, their totals, rejected records, and rows whose
    account id got its zeros back.
    """

    checks: RowChecks
    totals: Tally
    rejects: int
    account_ids_restored: int


class _Landing:
    """The staging of one delivery."""

    def __init__(
        self, publication: Publication, source: Source, delivery: Delivery, share: Share
    ) -> None:
        self._publication = publication
        self._source = source
        self._delivery = delivery
        self._share = share
        self._form: BillForm = FORMS[source.format]
        self._staged = publication.scratch("landing.parquet")
        self._invalid_rows: list[Row] = []
        self._columns: dict[str, str] = {}

    def stage(
        self,
        connection: Connection,
        paths: list[Path],
        hashes: list[str],
        delivery_id: str,
    ) -> DeliveryRecord:
        """Write valid rows to a staged file, collect invalid ones, and return the record."""
        names = _short_names([file.name for file in self._delivery.files])
        named = list(zip(names, paths, strict=True))
        renames = renames_of(connection, self._delivery.query)
        delivered = DeliveryFiles(named, self._form, self._publication.work, renames)
        readable = open_files(connection, delivered)
        staged = self._copy(connection, readable)
        totals, rejects = staged.totals, staged.rejects
        if totals.problems or rejects:
            self._quarantine(connection, readable, staged)
        return DeliveryRecord(
            delivery_id=delivery_id,
            source=self._source.name,
            billing_period=self._delivery.billing_period,
            format=self._source.format.value,
            execution_id=self._delivery.execution_id,
            manifest=self._delivery.manifest,
            listing_fingerprint=self._delivery.listing_fingerprint,
            landed_at=clock.now().isoformat(),
            size_bytes=sum(file.size_bytes for file in self._delivery.files),
            rows_read=totals.rows + rejects,
            rows_kept=totals.rows - totals.problems,
            rows_quarantined=len(self._invalid_rows),
            values_rounded=totals.values_rounded,
            values_unreadable=totals.values_unreadable,
            account_ids_restored=staged.account_ids_restored,
            files=tuple(
                FileRecord(file.name, file.size_bytes, sha256, totals.rows_by_file.get(name, 0))
                for file, name, sha256 in zip(self._delivery.files, names, hashes, strict=True)
            ),
            totals=totals.totals,
            columns=self._columns,
        )

    def _copy(self, connection: Connection, readable: list[ReadableFile]) -> _Staged:
        relation = f"({relation_of(readable)})"
        name = self._delivery.manifest
        run(
            connection,
            f"copy (select * from {relation} where {self._share.condition})"
            f" to {text(str(self._staged))} ({PARQUET})",
            name,
            readable,
        )
        staged = f"read_parquet({text(str(self._staged))}, hive_partitioning = false)"
        columns = columns_of(connection, staged)
        by_name = self._form.find(columns)
        accounts = AccountColumns(
            [by_name[name] for name in self._form.account_ids if name in by_name],
            [by_name[name] for name in self._form.account_owners if name in by_name],
        )
        spare = self._publication.scratch("as_delivered.parquet")
        restored = restore_account_ids(connection, self._staged, accounts, spare)
        self._columns = {name: kind for name, kind in columns.items() if name != SOURCE_FILE}
        empty = empty_columns(connection, self._staged)
        checks = row_checks(self._form, columns, self._delivery.billing_period, empty)
        totals = tally(connection, staged, checks, self._form)
        rejects = 0
        if self._share.with_rejects:
            rejects = sum(len(rejected_records(connection, file)) for file in readable)
        return _Staged(checks, totals, rejects, restored)

    def _quarantine(
        self, connection: Connection, readable: list[ReadableFile], staged: _Staged
    ) -> None:
        """Collect the invalid rows and keep only the valid ones in the staged file."""
        totals = staged.totals
        if totals.problems == totals.rows:
            refuse_other_lengths(readable)
            reason = totals.first_problem or "the header and a row differ in their number of fields"
            row_count = counted(totals.rows + staged.rejects, "row")
            raise DeliveryRefused(
                f"{self._delivery.manifest} has {row_count}, none of which can be read (for"
                f" example, {reason})",
                f"a bill of {self._delivery.billing_period}",
                "Check the export's month and format; the previous delivery stays published",
            )
        connection.execute(
            "set preserve_insertion_order = true"
        )  # they are identified by their number
        relation = f"read_parquet({text(str(self._staged))})"
        share = self._share
        invalid = InvalidRows(staged.checks, relation, share.condition, share.with_rejects)
        for file in readable:
            self._invalid_rows += read_invalid_rows(connection, file, invalid)
        if len(self._invalid_rows) != totals.problems + staged.rejects:
            raise DeliveryRefused(
                f"{self._delivery.manifest}: {counted(totals.problems + staged.rejects, 'row')}"
                f" could not be read, but {len(self._invalid_rows)} could be located",
                "every row either kept or quarantined",
                "Please report this; the previous delivery stays published",
            )
        all_rows = self._publication.scratch("all_rows.parquet")
        self._staged.rename(all_rows)
        connection.execute(
            f"copy (select * from read_parquet({text(str(all_rows))}) where"
            f" ({staged.checks.problem}) is null) to {text(str(self._staged))} ({PARQUET})"
        )
        write_rows(connection, self._invalid_rows, self._publication.scratch("invalid.parquet"))

    def publish(self, record: DeliveryRecord) -> None:
        """Publish the landing together with its quarantine and record."""
        landing = Place(LANDING, record.source, record.billing_period)
        quarantine = Place(QUARANTINE, record.source, record.billing_period)
        invalid = None
        if self._invalid_rows:
            staged = self._publication.scratch("invalid.parquet")
            invalid = self._publication.put(quarantine, staged)
        else:
            self._publication.drop(quarantine)
        if record.rows_kept:
            file = self._publication.put(landing, self._staged)
            self._publication.record_landing(LandingRecord(record, file, invalid))
        else:
            self._publication.drop(landing)
        self._publication.record(ledger.record_delivery(record))
        self._publication.commit()


def _short_names(names: list[str]) -> list[str]:
    """Return file names without folders, or the full names if the short ones are not unique."""
    short = [name.rsplit("/", 1)[-1] for name in names]
    return short if len(set(short)) == len(short) else names
