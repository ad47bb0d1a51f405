"""Landing a snapshot of an inventory: what was listed today, merged with what was known before.

Put here: which records count, the merge, and the files of a snapshot. Keep out: obtaining records
(sources), assigning resources to projects (focus/resource_partitions.py).

A snapshot has every resource that its source has ever listed. One that was not listed again keeps
its last day, so that it is gone if its type was listed, and unknown if that was denied.

Reads: inventory   Writes: inventory, inventory_coverage, quarantine
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

import pyarrow as pa

from finops_pipeline.contracts.resource_inventory import LANDED, LANDED_COVERAGE
from finops_pipeline.errors import DamagedFile, FileProblem, ForeignFile, counted
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.file_owners import owner_option
from finops_pipeline.lake.layout import INVENTORY, INVENTORY_COVERAGE, QUARANTINE
from finops_pipeline.lake.publish import Publication
from finops_pipeline.landing.landing_task import LandingTask
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.sources.inventory_api import Covered
from finops_pipeline.sources.inventory_records import (
    RejectedRecord,
    ResourceRecord,
    as_json,
    find_fault,
)
from finops_pipeline.tenants.months import month_of

BATCH = 5_000
"""Records that are held in memory before they go to DuckDB."""

_OWN_FIELDS = tuple(
    c.name for c in LANDED if c.name not in ("first_seen", "last_seen", "changed_on")
)
_KEY = "account_id, region_id, resource_type, resource_id"
_KNOWN = "resource_arn, resource_name, state, created_at, tags, attributes"
_ORGANIZATION = "AWS::Organizations::Account"


@dataclass(frozen=True)
class LandedSnapshot:
    """The result of landing a snapshot; `others` are accounts of other tenants that it named."""

    day: date
    rows: int
    listed: int
    duplicates: int
    rejected: int
    gaps: int
    others: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What an operator should know about it."""
        parts = [
            f"{counted(self.rejected, 'resource')} quarantined" if self.rejected else "",
            f"{counted(self.duplicates, 'resource')} listed twice" if self.duplicates else "",
            f"{counted(self.gaps, 'listing')} denied or failed" if self.gaps else "",
            f"left out: {', '.join(self.others)}, of another tenant" if self.others else "",
        ]
        return "; ".join(filter(None, parts))


@dataclass
class Findings:
    """What a run collects for a snapshot, beside the records themselves."""

    coverage: list[tuple[str, Covered]] = field(default_factory=list)
    """Accounts, and how a listing in them ended."""
    rejected: list[RejectedRecord] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


class SnapshotLanding:
    """One snapshot of a source: records are added in any number, then all of it is published.

    Args:
        foreign: accounts that belong to other tenants, and not to this one.
    """

    def __init__(self, task: LandingTask, day: date, foreign: Collection[str]) -> None:
        self._task = task
        self.day = day
        self._foreign = foreign
        self.findings = Findings()

    def land(self, records: Iterable[ResourceRecord | RejectedRecord]) -> LandedSnapshot:
        """Store the records of a snapshot, merged with the newest one, and publish it.

        Raises:
            FileProblem: a newer snapshot has landed, or a record is of another tenant's account.
            DamagedFile: the newest snapshot was changed.
        """
        source, writer = self._task.source.name, self._task.writer
        with writer.publication() as publication:
            newest = newest_snapshot(publication, source)
            if newest and newest.billing_period > self.day.isoformat():
                raise FileProblem(
                    f"the snapshot is of {self.day}, but {self._task.name} has one of"
                    f" {newest.billing_period}",
                    "the newest snapshot: what was first and last seen follows from their order",
                )
            with scratch_connection(publication.spill, self._task.limits) as connection:
                connection.execute("set threads = 1")  # the same records give the same bytes
                self._store(connection, records)
                landed = self._merge(connection, publication, newest)
            publication.commit()
        return landed

    def _store(
        self, connection: Connection, records: Iterable[ResourceRecord | RejectedRecord]
    ) -> None:
        types = {column.name: column.type for column in LANDED}
        columns = ", ".join(f"{name} {types[name]}" for name in _OWN_FIELDS)
        connection.execute(f"create temp table listed ({columns})")
        usable = self._keep_usable(records)
        while batch := list(islice(usable, BATCH)):
            connection.register("x_batch", _as_arrow(batch))
            connection.execute(f"insert into listed select {', '.join(_OWN_FIELDS)} from x_batch")
            connection.unregister("x_batch")

    def _keep_usable(
        self, records: Iterable[ResourceRecord | RejectedRecord]
    ) -> Iterator[ResourceRecord]:
        for record in records:
            if isinstance(record, RejectedRecord):
                self.findings.rejected.append(record)
            elif self._is_usable(record):
                yield record

    def _is_usable(self, record: ResourceRecord) -> bool:
        """Return whether a record counts; note why it does not.

        Raises:
            FileProblem: it is of another tenant's account.
        """
        if record.account_id in self._foreign:
            raise FileProblem(
                f"the inventory of {self._task.name} has resources of account {record.account_id},"
                " which belongs to another tenant",
                "resources of this tenant's accounts",
                "Correct the source, or take the account out of its files; nothing was stored",
            )
        if record.resource_type == _ORGANIZATION and record.resource_id in self._foreign:
            self.findings.others[record.resource_id] += 1
            return False
        fault = find_fault(record)
        if fault:
            number = len(self.findings.rejected) + 1
            raw = as_json({**vars(record), "tags": dict(record.tags)})
            self.findings.rejected.append(RejectedRecord("inventory", number, fault, raw))
        return not fault

    def _merge(
        self, connection: Connection, publication: Publication, newest: Place | None
    ) -> LandedSnapshot:
        source, owner = self._task.source.name, publication.folder.identity
        known = _known(publication, newest)
        connection.execute(
            f"create temp table fresh as select * from listed"
            f" qualify row_number() over (partition by {_KEY} order by {_KNOWN}) = 1"
        )
        listed, fresh = (_count(connection, name) for name in ("listed", "fresh"))
        target = publication.scratch("snapshot.parquet")
        connection.execute(
            f"copy ({_merged(known, self.day)} order by {_KEY}) to {text(str(target))}"
            f" ({PARQUET}, {owner_option(owner)})"
        )
        rows = _count(connection, f"read_parquet({text(str(target))})")
        publication.put_values(Place(INVENTORY, source, self.day.isoformat()), target)
        self._put_coverage(connection, publication)
        self._put_rejected(connection, publication)
        gaps = sum(covered.state in ("denied", "failed") for _, covered in self.findings.coverage)
        return LandedSnapshot(
            self.day, rows, fresh, listed - fresh, len(self.findings.rejected), gaps,
            tuple(sorted(self.findings.others)),
        )  # fmt: skip

    def _put_coverage(self, connection: Connection, publication: Publication) -> None:
        rows = [
            (account, c.region_id, c.resource_type, self.day.isoformat(), c.state, c.permission,
             c.reason)
            for account, c in self.findings.coverage
        ]  # fmt: skip
        columns = list(zip(*rows, strict=True)) or [() for _ in LANDED_COVERAGE]
        casts = ", ".join(f"unnest(?::varchar[])::{c.type} as {c.name}" for c in LANDED_COVERAGE)
        staged = publication.scratch("coverage.parquet")
        connection.execute(
            f"create temp table coverage as select {casts}", [list(column) for column in columns]
        )
        connection.execute(
            f"copy (from coverage order by all) to {text(str(staged))}"
            f" ({PARQUET}, {owner_option(publication.folder.identity)})"
        )
        place = Place(INVENTORY_COVERAGE, self._task.source.name, self.day.isoformat())
        publication.put_values(place, staged)

    def _put_rejected(self, connection: Connection, publication: Publication) -> None:
        place = Place(QUARANTINE, self._task.source.name, month_of(self.day))
        rejected = self.findings.rejected
        if not rejected:
            publication.drop(place)
            return
        staged = publication.scratch("rejected.parquet")
        columns: list[list[object]] = [
            [record.place for record in rejected],
            [record.number for record in rejected],
            [record.reason for record in rejected],
            [record.raw_text for record in rejected],
        ]
        connection.execute(
            "create temp table rejected as select unnest(?::varchar[]) as source_file,"
            " unnest(?::bigint[]) as line, unnest(?::varchar[]) as reason,"
            " unnest(?::varchar[]) as raw_text",
            columns,
        )
        connection.execute(f"copy rejected to {text(str(staged))} ({PARQUET})")
        publication.put(place, staged)


def newest_snapshot(publication: Publication, source: str) -> Place | None:
    """Return the place of the newest snapshot of a source; None if there is none."""
    places = [f.place for f in publication.current_files(INVENTORY) if f.place.key == source]
    return max(places, key=lambda place: place.billing_period, default=None)


def _known(publication: Publication, newest: Place | None) -> str:
    """Return SQL of what was known before; a snapshot that is lost is as if it had never been."""
    names = ", ".join(ident(column.name) for column in LANDED)
    if newest:
        try:
            path = publication.checked(INVENTORY, newest.key, newest.billing_period)
        except (DamagedFile, ForeignFile):
            path = None
        if path:
            return f"select {names} from read_parquet({text(str(path))}, hive_partitioning = false)"
    nulls = ", ".join(f"null::{column.type} as {ident(column.name)}" for column in LANDED)
    return f"select {nulls} where false"


def _merged(known: str, day: date) -> str:
    """Return SQL of the listed resources, and of those that only earlier snapshots have."""
    of_day = f"date {text(day.isoformat())}"
    compared = ("resource_arn", "resource_name", "state", "created_at", "tags", "attributes")
    is_same = " and ".join(f"fresh.{n} is not distinct from known.{n}" for n in compared)
    days = {
        "first_seen": f"coalesce(known.first_seen, {of_day})",
        "last_seen": f"case when fresh.account_id is null then known.last_seen else {of_day} end",
        "changed_on": f"case when fresh.account_id is null or {is_same}"
        f" then coalesce(known.changed_on, {of_day}) else {of_day} end",
    }
    columns = []
    for column in LANDED:
        name = column.name
        value = days.get(
            name, f"case when fresh.account_id is null then known.{name} else fresh.{name} end"
        )
        columns.append(f"{value} as {name}")
    return f"select {', '.join(columns)} from fresh full join ({known}) as known using ({_KEY})"


def _count(connection: Connection, relation: str) -> int:
    ((count,),) = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(count)


def _as_arrow(records: Sequence[ResourceRecord]) -> pa.Table:
    columns = {name: [getattr(record, name) for record in records] for name in _OWN_FIELDS}
    columns["tags"] = [sorted(record.tags.items()) for record in records]
    return pa.table(columns, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("region_id", pa.string()),
        ("resource_type", pa.string()),
        ("resource_id", pa.string()),
        ("resource_arn", pa.string()),
        ("resource_name", pa.string()),
        ("state", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("tags", pa.map_(pa.string(), pa.string())),
        ("attributes", pa.string()),
        ("service_code", pa.string()),
    ]
)
