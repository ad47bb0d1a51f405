"""The table of business metrics in the file being built, and which of its months have changed.

Put here: filling the table from the files of values. Keep out: storing these files
(application/business_metrics.py), the mart that reads the table (sql/unit_costs.sql).

Reads: business_metrics   Writes: <tenant>.duckdb (business_metrics)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from finops_pipeline.contracts.metric_marts import BUSINESS_METRICS
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.metric_values import metric_relation
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.marts.slice_conditions import among_months


def metric_fingerprints(publication: Publication) -> dict[str, str]:
    """Return a fingerprint of the values of each month that has some.

    It also says which files are lost, so that the month is filled once they are there again.
    """
    sums: dict[str, list[str]] = {}
    for file in publication.current_files(layout.BUSINESS_METRICS):
        place = file.place
        is_lost = _paths(publication, [place]) is None
        mark = f"{file.sha256}{' is lost' if is_lost else ''}"
        sums.setdefault(place.billing_period, []).append(mark)
    return {
        month: fingerprint_of([repr(BUSINESS_METRICS), *sorted(marks)])
        for month, marks in sums.items()
    }


def _paths(publication: Publication, places: Iterable[Place]) -> list[Path] | None:
    """Return the files of some places; None if one of them is lost or was changed."""
    try:
        paths = [publication.checked(p.table_name, p.key, p.billing_period) for p in places]
    except (DamagedFile, ForeignFile):
        return None
    return [path for path in paths if path is not None]


def fill_metrics(connection: Connection, publication: Publication, months: Collection[str]) -> None:
    """Replace some months of the table; a month of which a file is lost stays as it was."""
    if not months:
        return
    target = f"{WAREHOUSE}.{BUSINESS_METRICS.name}"
    names = ", ".join(column.name for column in BUSINESS_METRICS.columns)
    current = [file.place for file in publication.current_files(layout.BUSINESS_METRICS)]
    for month in sorted(months):
        paths = _paths(publication, (p for p in current if p.billing_period == month))
        if paths is None:
            continue
        connection.execute(f"delete from {target} where {among_months([month])}")
        if paths:
            connection.execute(
                f"insert into {target} ({names}) select {names} from (select *,"
                f" strftime(day, '%Y-%m') as billing_period from ({metric_relation(paths)}))"
                " order by metric, project nulls first, day"
            )
