"""Files of business metrics: one per metric and month, with a value per day and project.

Put here: writing and reading these files, and choosing those that a lost ledger is rebuilt from.
Keep out: whose they are (file_owners.py), reading what users hand over (landing/metric_file.py),
tables made of it (marts).

Unlike all other files but landings, nothing can compute them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from finops_pipeline.lake.duck import PARQUET, Connection, text
from finops_pipeline.lake.file_owners import COLLECTED_TABLES, owned_publication, owner_option
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import BUSINESS_METRICS, TenantFolder, parse_stored
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ownership import Identity
from finops_pipeline.ledger.stored_files import Place, StoredFile

_COLUMNS = {"day": "date", "metric": "varchar", "project": "varchar", "value": "decimal(38, 18)"}


_TABLES = (BUSINESS_METRICS, *COLLECTED_TABLES)


@dataclass(frozen=True, order=True)
class MetricKey:
    """What a value is of: a metric, a day, and a project; an empty project: the whole tenant."""

    metric: str
    project: str
    day: date


MetricValues = dict[MetricKey, Decimal]


def write_metric_values(
    connection: Connection, path: Path, owner: Identity, values: MetricValues
) -> None:
    """Write the values of a metric's month as Parquet that says whose it is.

    The same values give the same bytes.
    """
    ordered = sorted(values.items())
    rows = [
        [key.day.isoformat() for key, _ in ordered],
        [key.metric for key, _ in ordered],
        [key.project or None for key, _ in ordered],
        [format(value, "f") for _, value in ordered],
    ]
    casts = ", ".join(f"unnest(?::varchar[])::{kind} as {name}" for name, kind in _COLUMNS.items())
    connection.execute("set threads = 1")
    connection.execute(f"create or replace temp table x_values as select {casts}", rows)
    connection.execute(
        "copy (from x_values order by metric, project nulls first, day)"
        f" to {text(str(path))} ({PARQUET}, {owner_option(owner)})"
    )


def metric_relation(paths: Sequence[Path]) -> str:
    """Return SQL over files of metrics."""
    names = ", ".join(f"{name}::{kind} as {name}" for name, kind in _COLUMNS.items())
    listed = ", ".join(text(str(path)) for path in paths)
    return f"select {names} from read_parquet([{listed}], hive_partitioning = false)"


def read_metric_values(connection: Connection, paths: Sequence[Path]) -> MetricValues:
    """Read the values in files of metrics."""
    if not paths:
        return {}
    rows = connection.execute(
        f"select metric, coalesce(project, ''), day, value from ({metric_relation(paths)})"
    ).fetchall()
    return {MetricKey(*key): value for *key, value in rows}


def newest_owned_files(folder: TenantFolder, recorded: Iterable[Place]) -> list[StoredFile]:
    """List the newest intact file of each partition that a restored ledger lacks.

    They are the files of business metrics and of what was collected. A metric that was removed
    shortly before comes back: it can be removed again, while a file that is left out would be lost.
    """
    newest = dict[Place, tuple[int, StoredFile]]()
    present = set(recorded)
    for path in sorted(PartitionStore(folder).list_paths()):
        relative = path.relative_to(folder.store)
        place = None if path.is_symlink() else parse_stored(relative, folder.tenant)
        if place is None or place.table_name not in _TABLES or place in present:
            continue
        file = StoredFile(place, fingerprint(path), path.stat().st_size)
        publication = owned_publication(folder, file)
        if publication is not None and publication >= newest.get(place, (0,))[0]:
            newest[place] = (publication, file)
    return [file for _, file in newest.values()]
