"""Files of business metrics: one per metric and month, with a value per day and project.

Put here: writing and reading these files, and their records, from which a lost ledger is rebuilt.
Keep out: reading what users hand over (landing/metric_file.py), tables made of it (marts).

Unlike all other files but landings, nothing can compute them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from finops_pipeline.lake.duck import PARQUET, Connection, DuckDBError, open_in_memory, text
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import BUSINESS_METRICS, TenantFolder, parse_stored
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.stored_files import Place, StoredFile

_COLUMNS = {"day": "date", "metric": "varchar", "project": "varchar", "value": "decimal(38, 18)"}


@dataclass(frozen=True, order=True)
class MetricKey:
    """What a value is of: a metric, a day, and a project; an empty project: the whole tenant."""

    metric: str
    project: str
    day: date


MetricValues = dict[MetricKey, Decimal]


def write_metric_values(
    connection: Connection, path: Path, tenant: str, values: MetricValues
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
        f" to {text(str(path))} ({PARQUET}, kv_metadata {{tenant: {text(tenant)}}})"
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


def write_metric_record(
    folder: TenantFolder, store: PartitionStore, file: StoredFile, publication: int
) -> None:
    """Write the record beside a file of metrics, which is already in the store."""
    content = {
        "tenant": folder.identity.tenant,
        "installation_id": folder.identity.installation_id,
        "publication": publication,
        "sha256": file.sha256,
    }
    store.put_record(file, json.dumps({**content, "checksum": fingerprint_of(content)}))


def newest_metric_files(folder: TenantFolder, recorded: Iterable[Place]) -> list[StoredFile]:
    """List the newest intact file of each metric and month that a restored ledger lacks.

    A metric that was removed shortly before comes back: it can be removed again, while a file that
    is left out would be lost.
    """
    store, newest = PartitionStore(folder), dict[Place, tuple[int, StoredFile]]()
    present = set(recorded)
    for path in sorted(store.list_paths()):
        relative = path.relative_to(folder.store)
        place = None if path.is_symlink() else parse_stored(relative, folder.tenant)
        if place is None or place.table_name != BUSINESS_METRICS or place in present:
            continue
        file = StoredFile(place, fingerprint(path), path.stat().st_size)
        publication = _publication(folder, store.read_record(path), file)
        if publication is not None and publication >= newest.get(place, (0,))[0]:
            newest[place] = (publication, file)
    return [file for _, file in newest.values()]


def _publication(folder: TenantFolder, record: str, file: StoredFile) -> int | None:
    """Return the publication that a file's record names; None if it is not this tenant's.

    A restored backup has no records, so that the file itself says whose it is.
    """
    path = folder.stored(file)
    if not path.is_file() or _owner(path) != folder.tenant:
        return None
    if not record:
        return 0
    try:
        content = json.loads(record)
        is_intact = content.pop("checksum") == fingerprint_of(content)
        ids = {folder.identity.installation_id, content["installation_id"]} - {""}
        is_own = content["tenant"] == folder.tenant and len(ids) <= 1
        is_same = is_intact and is_own and content["sha256"] == file.sha256
        return int(content["publication"]) if is_same else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _owner(path: Path) -> str:
    """Return the tenant that a file names; empty if it names none or is no Parquet file."""
    with open_in_memory({}) as connection:
        try:
            rows = connection.execute(
                "select decode(value) from parquet_kv_metadata(?) where decode(key) = 'tenant'",
                [str(path)],
            ).fetchall()
        except DuckDBError:
            return ""
    return str(rows[0][0]) if rows else ""
