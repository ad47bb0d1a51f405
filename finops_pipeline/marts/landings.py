"""The view over a source's landing, whatever its columns were from month to month.

Put here: uniting months whose columns have other types. Keep out: the other views (views.py).

A column that is a number in one month and a time in another has no type that both can be read
as: DuckDB would fail on the first such file. It is text in the view, and a map is JSON text.
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, columns_of, ident, text
from finops_pipeline.lake.layout import partition_glob
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import glob_relation
from finops_pipeline.tenants.model import SourceFormat

Types = dict[str, str]
"""Column -> DuckDB type."""


def landing_relation(connection: Connection, publication: Publication, source: str) -> str:
    """SQL over all months of a source; empty when none has landed."""
    months = _types_by_month(connection, publication, source)
    names: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for types in months.values():
        for name, kind in types.items():
            names.setdefault(name.lower(), name)
            kinds.setdefault(name.lower(), set()).add(kind)
    if not names:
        return ""
    own = [*names.values(), "source", "billing_period"]
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    if not mixed:
        return glob_relation(partition_glob(layout.LANDING, source), own)
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for month, types in months.items():
        signature = tuple(sorted((name.lower(), kind) for name, kind in types.items()))
        groups.setdefault(signature, []).append(month)
    parts = [_of_months(source, group, months[group[0]], names, mixed) for group in groups.values()]
    selected = ", ".join(map(ident, own))
    united = "\nunion all by name\n".join(parts)
    return f"select {selected} from ({united})"


def _of_months(
    source: str, months: list[str], types: Types, names: dict[str, str], mixed: set[str]
) -> str:
    """SQL over months whose columns have the same types."""
    columns = [
        f"{_as_text(name, kind) if name.lower() in mixed else ident(name)}"
        f" as {ident(names[name.lower()])}"
        for name, kind in types.items()
    ]
    globs = [partition_glob(layout.LANDING, source, month) for month in months]
    listed = ", ".join(map(text, globs))
    hive = "hive_types = {'source': varchar, 'billing_period': varchar}"
    return (
        f"select {', '.join(columns)}, source, billing_period from read_parquet([{listed}],"
        f" hive_partitioning = true, {hive}, union_by_name = true)"
    )


def _as_text(name: str, kind: str) -> str:
    nested = kind.startswith(("MAP", "STRUCT", "UNION")) or "[" in kind
    return f"to_json({ident(name)})::varchar" if nested else f"{ident(name)}::varchar"


def _types_by_month(
    connection: Connection, publication: Publication, source: str
) -> dict[str, Types]:
    """The columns that landed, by month: from the ledger, or the file where it does not know."""
    found: dict[str, Types] = {}
    for delivery in publication.ledger.deliveries(source):
        path = publication.folder.partition(layout.LANDING, source, delivery.billing_period)
        if not delivery.rows_kept or not path.exists():
            continue
        columns = dict(delivery.columns) or _of_file(connection, path)
        if SourceFormat(delivery.format).is_bill:  # its answers are no files
            columns["x_SourceFile"] = "VARCHAR"
        found[delivery.billing_period] = columns
    return found


def _of_file(connection: Connection, path: Path) -> Types:
    relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
    return columns_of(connection, relation)
