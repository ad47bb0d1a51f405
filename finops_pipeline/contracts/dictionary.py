"""The data dictionary: the contracts as the text of docs/data_dictionary.md.

Put here: the presentation of a table and its columns. Keep out: the contracts themselves
(tables.py, focus.py), writing the file (cli/pages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from finops_pipeline.contracts.column import MONEY, Column, Table
from finops_pipeline.contracts.focus_versions import NOT_CARRIED, FocusView, focus_views
from finops_pipeline.contracts.tables import TABLES

_OPENING = """\
# Data dictionary

Every table and view of a tenant's DuckDB file. Generated from `finops_pipeline/contracts`;
`make docs` writes it and a test keeps it up to date, so edit the contracts, not this page.

A file has a view `landing_<source>` for each source that has landed, with `_` for `-`. Its
columns are the source's own and `x_SourceFile`; they are not listed here.

The file itself contains the same descriptions: every table, view and column has a comment, which
SQL clients show. The table [about](#about) lists the tables and views, when they were computed and
whether their months are reconciled.

Times are UTC and have no zone. Money, unit prices and quantities are DECIMAL(38,18). Objects
such as Tags are JSON text.
"""


@dataclass(frozen=True)
class MartFacts:
    """How a mart is built: what is rebuilt as a unit, how far it looks back, its checks."""

    slices: str
    lookback: str
    checks: str
    reads: str


def data_dictionary(marts: Mapping[str, MartFacts]) -> str:
    """Write the data dictionary as Markdown: a list of the tables, then a section for each.

    Args:
        marts: how each mart is built, by its name.
    """
    listed = markdown_table(
        ("table", "kind", "meaning"),
        ((f"[{table.name}](#{table.name})", table.kind, table.meaning) for table in TABLES),
    )
    sections = ["\n".join(_section(table, marts.get(table.name))) for table in TABLES]
    return "\n".join([_OPENING, listed, *sections, "\n".join(_focus_versions(focus_views()))])


def _focus_versions(views: Sequence[FocusView]) -> Iterator[str]:
    """Write the section of the FOCUS versions: which columns each view has."""
    yield "\n## FOCUS versions\n"
    yield (
        "Views with exactly the columns of one version of FOCUS, in its order, so that queries"
        "\nwritten for it run unchanged. Types and meanings are those of [costs](#costs). A later"
        "\nversion adds columns and renames none."
    )
    yield ""
    rows, before = [], set[str]()
    for view in views:
        names = [column.name for column in view.columns]
        more = ", ".join(f"`{name}`" for name in names if name not in before)
        added = more if before else "see [costs](#costs)"
        rows.append((f"`{view.name}`", view.version, str(len(names)), added, view.meaning))
        before.update(names)
    yield markdown_table(
        ("view", "FOCUS", "columns", "added since the version before", "meaning"), rows
    )
    yield (
        "\nThe view of 1.3 reads these columns from `x_UnknownColumns`. In charges of a FOCUS"
        " 1.3 export\nthey are as stated; in all others they are null:\n"
    )
    yield markdown_table(
        ("name", "type", "meaning"),
        [(f"`{column.name}`", column.type, column.meaning) for column in NOT_CARRIED],
    )


def _section(table: Table, mart: MartFacts | None) -> Iterator[str]:
    yield f"\n## {table.name}\n"
    yield f"{table.meaning}\n"
    yield f"- kind: {table.kind}"
    yield f"- grain: {', '.join(table.grain)}"
    if mart is not None:
        yield f"- reads: {mart.reads}"
        yield f"- rebuilt as a unit: {mart.slices}"
        yield f"- reads earlier months: {mart.lookback}"
        yield f"- checks: {mart.checks}"
        yield f"\n```sql\n{example_query(table)}\n```"
    yield ""
    yield markdown_table(
        ("name", "type", "nullable", "allowed values", "meaning"),
        (_row(column) for column in table.columns),
    )


_GROUPS = ("billing_period", "project", "source", "billing_currency")
_SUMMED = 2


def example_query(table: Table) -> str:
    """Write a first query of a mart: its first amounts by month, project and currency."""
    names = [column.name for column in table.columns]
    groups = [name for name in _GROUPS if name in names]
    amounts = [
        column.name
        for column in table.columns
        if column.type == MONEY and column.name.endswith("_cost")
    ]
    sums = [f"sum({name}) as {name}" for name in amounts[:_SUMMED]] or ["count(*) as rows"]
    return f"select {', '.join([*groups, *sums])}\nfrom {table.name}\ngroup by all\norder by all;"


def _row(column: Column) -> Sequence[str]:
    return (
        f"`{column.name}`",
        column.type,
        "yes" if column.nullable else "no",
        ", ".join(column.allowed),
        column.meaning,
    )


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows as a Markdown table; a `|` in a cell is escaped."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
