"""The contracts in words: docs/data_dictionary.md as text.

Put here: how a table and its columns are told to a reader. Keep out: what they promise
(tables.py, focus.py), writing the file (cli/pages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from finops_pipeline.contracts.columns import Column, Table
from finops_pipeline.contracts.tables import TABLES

_OPENING = """\
# Data dictionary

Every table and view of a tenant's DuckDB file. Generated from `finops_pipeline/contracts`;
`make docs` writes it anew and a test keeps it fresh, so edit the contracts and not this page.

A file has a view `landing_<source>` for each source that has landed, with `_` for `-`. Its
columns are the source's own and `x_SourceFile`; they are not listed here.

Times are UTC and have no zone. Money, unit prices and quantities are DECIMAL(38,18). Objects
such as Tags are JSON text.
"""


def data_dictionary() -> str:
    """The data dictionary as Markdown: a list of the tables, then a section for each."""
    listed = markdown_table(
        ("table", "kind", "meaning"),
        ((f"[{table.name}](#{table.name})", table.kind, table.meaning) for table in TABLES),
    )
    sections = ["\n".join(_section(table)) for table in TABLES]
    return "\n".join([_OPENING, listed, *sections])


def _section(table: Table) -> Iterator[str]:
    yield f"\n## {table.name}\n"
    yield f"{table.meaning}\n"
    yield f"- kind: {table.kind}"
    yield f"- grain: {', '.join(table.grain)}\n"
    yield markdown_table(
        ("name", "type", "nullable", "allowed values", "meaning"),
        (_row(column) for column in table.columns),
    )


def _row(column: Column) -> Sequence[str]:
    return (
        f"`{column.name}`",
        column.type,
        "yes" if column.nullable else "no",
        ", ".join(column.allowed),
        column.meaning,
    )


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as a Markdown table; a `|` in a cell is escaped."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
