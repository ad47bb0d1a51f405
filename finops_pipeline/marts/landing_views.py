"""Views over a source's landing, whose columns may change from month to month.

Put here: combining months whose columns have different types. Keep out: the other views (views.py).

A column that is a number in one month and a time in another has no common type, and DuckDB would
fail on the first such file. In the view it is text, and a map is JSON text.
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, columns_of, ident, text
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import published_paths, read_files
from finops_pipeline.tenants.model import SourceFormat

Types = dict[str, str]
"""Column -> DuckDB type."""


def landing_relation(connection: Connection, publication: Publication, source: str) -> str:
    """Write SQL over all months of a source; empty when none has landed."""
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
    selected = ", ".join(map(ident, own))
    mixed = {name for name, types in kinds.items() if len(types) > 1}
    notice, *paths = published_paths(connection, publication, layout.LANDING, source)
    if not mixed:
        return f"select {selected} from {read_files([notice, *paths])}"
    by_month = {path.parent.name.partition("=")[2]: path for path in paths}
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for month, types in months.items():
        signature = tuple(sorted((name.lower(), kind) for name, kind in types.items()))
        groups.setdefault(signature, []).append(month)
    parts = []
    for group in groups.values():
        columns = [
            f"{_as_text(name, kind) if name.lower() in mixed else ident(name)}"
            f" as {ident(names[name.lower()])}"
            for name, kind in months[group[0]].items()
        ]
        files = read_files([notice, *(by_month[month] for month in group)])
        parts.append(f"select {', '.join(columns)}, source, billing_period from {files}")
    united = "\nunion all by name\n".join(parts)
    return f"select {selected} from ({united})"


def _as_text(name: str, kind: str) -> str:
    nested = kind.startswith(("MAP", "STRUCT", "UNION")) or "[" in kind
    return f"to_json({ident(name)})::varchar" if nested else f"{ident(name)}::varchar"


def _types_by_month(
    connection: Connection, publication: Publication, source: str
) -> dict[str, Types]:
    """Read the landed columns by month, from the ledger or otherwise from the file."""
    types_by_month: dict[str, Types] = {}
    for delivery in publication.ledger.deliveries(source):
        path = publication.current(layout.LANDING, source, delivery.billing_period)
        if not delivery.rows_kept or path is None or not path.exists():
            continue
        columns = dict(delivery.columns) or _of_file(connection, path)
        if SourceFormat(delivery.format).is_bill:  # Cost Explorer's answers are not files
            columns["x_SourceFile"] = "VARCHAR"
        types_by_month[delivery.billing_period] = columns
    return types_by_month


def _of_file(connection: Connection, path: Path) -> Types:
    relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
    return columns_of(connection, relation)
