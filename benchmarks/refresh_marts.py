"""One piece of a refresh of the marts, in a process of its own: `all`, a month, or the bare scan.

Put here: running marts and checks on the next file of the tenant `bench`, as a refresh does, and
throwing the file away. Keep out: making the tenant, comparing, printing (marts.py).

Usage: refresh_marts.py DATA all|scan|YYYY-MM. It prints a JSON object: processor seconds and wall
seconds of each part, and the size of the file.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.lake.duck import scratch_connection
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import building, files_relation
from finops_pipeline.marts.due_slices import Change, Slice, plan_marts
from finops_pipeline.marts.library import in_reading_order, marts
from finops_pipeline.marts.mart_runner import Refresh, replace_slices, run_checks
from finops_pipeline.marts.results import CheckState
from finops_pipeline.marts.shown_slices import ShownSlices
from finops_pipeline.settings import Settings

TENANT = "bench"


class Clock:
    """Processor and wall seconds of named parts."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[float, float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure a block."""
        start = time.process_time(), time.perf_counter()
        yield
        self.parts[name] = time.process_time() - start[0], time.perf_counter() - start[1]


def refresh(session: TenantSession, months: frozenset[str] | None, clock: Clock) -> int:
    """Replace all slices of every mart, or those of some months; returns the size of the file."""
    with session.writer.publication() as publication:
        records = publication.partitions(COSTS_TABLE)
        slices = frozenset(key for key, record in records.items() if record.rows)
        changed = frozenset(key for key in slices if months is None or key[1] in months)
        ordered = in_reading_order(marts())
        unused = frozenset[str]().union(*(mart.needs for mart in ordered))  # nothing is declared
        change = Change(changed, slices, slices, unused=unused)

        def find_file(key: Slice) -> Path:
            path = publication.checked(COSTS_TABLE, *key)
            assert path is not None
            return path

        charges = {key: records[key].rows for key in slices}
        due = Refresh(change, ordered, plan_marts(ordered, change), charges)
        with clock.part("file"), building(publication, session.limits, fresh=False) as connection:
            shown = ShownSlices(connection, ordered, change, find_file)
            with clock.part("marts"):
                stale = replace_slices(connection, shown, due)
            with clock.part("checks"):
                results = run_checks(connection, shown, due, stale)
        failed = [r.describe() for r in results if r.state is CheckState.FAILED]
        assert not failed, failed
        return publication.warehouse_bytes


def columns_of_marts() -> list[str]:
    """List the columns of charges that marts read."""
    words = {
        word
        for mart in marts()
        if COSTS.name in mart.reads
        for line in mart.sql.splitlines()
        for word in re.findall(r"\w+", line.partition("--")[0])
    }
    return [column.name for column in COSTS.columns if column.name in words]


def scan_sql(columns: list[str], relation: str) -> str:
    """Write the bare aggregation: texts and days as they are, sums of all numbers, their number."""
    types = {column.name: column.type for column in COSTS.columns}
    numbers = [name for name in columns if types[name].startswith("DECIMAL")]
    days = [name for name in columns if types[name].startswith("TIMESTAMP")]
    keys = [name for name in columns if name not in numbers and name not in days]
    select = [*keys, "ChargePeriodStart::date as day", *(f"sum({n}) as {n}" for n in numbers)]
    sums = ", ".join(f"sum({name})" for name in numbers)
    return f"select count(*), {sums} from (select {', '.join(select)} from {relation} group by all)"


def scan(publication: Publication, session: TenantSession, clock: Clock) -> None:
    """Aggregate the columns that marts read in one query over the charges of each month."""
    columns = columns_of_marts()
    files: dict[str, list[Path]] = {}
    for (project, month), record in publication.partitions(COSTS_TABLE).items():
        path = publication.checked(COSTS_TABLE, project, month)
        if record.rows and path:
            files.setdefault(month, []).append(path)
    with scratch_connection(publication.spill, session.limits) as connection, clock.part("scan"):
        for _, paths in sorted(files.items()):
            relation = f"({files_relation(paths, COSTS.columns)})"
            connection.execute(scan_sql(columns, relation)).fetchall()


def main() -> None:
    """Run one piece and print what it took."""
    data, piece = sys.argv[1:]
    clock, size = Clock(), 0
    with Installation(Settings(data=Path(data))).writing(TENANT) as session:
        if piece == "scan":
            with session.writer.publication() as publication:
                scan(publication, session, clock)
        else:
            months = None if piece == "all" else frozenset([piece])
            size = refresh(session, months, clock)
    sys.stdout.write(json.dumps({"parts": clock.parts, "bytes": size}) + "\n")


if __name__ == "__main__":
    main()
