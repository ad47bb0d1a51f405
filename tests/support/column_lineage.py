"""Which columns of a charge each column of `monthly_costs` comes from, traced through the SQL.

`python -m tests.support.column_lineage` writes orchestration/column_lineage.csv. The trace takes
seconds, and every run of Dagster loads the definitions, so the result is a file and no calculation.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path

from sqlglot import exp
from sqlglot.lineage import lineage

from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.marts.library import marts

FILE = Path(__file__).parents[2] / "finops_pipeline/orchestration/column_lineage.csv"
_SQL = {mart.name: mart.sql for mart in marts()}
_SCHEMA = {table.name: {c.name: c.type for c in table.columns} for table in TABLES}
_FOCUS_IDS = {column.name.lower(): column.name for column in COSTS.columns}


@cache
def trace(table: str, column: str) -> frozenset[str]:
    """Return the columns of `costs` that a column of a mart comes from."""
    if table == COSTS.name:
        return frozenset({_FOCUS_IDS[column.lower()]})
    if table not in _SQL:
        return frozenset()
    node = lineage(column, _SQL[table], schema=_SCHEMA, dialect="duckdb")
    leaves = {
        (leaf.source.name, leaf.name.rpartition(".")[2])
        for leaf in node.walk()
        if not leaf.downstream and isinstance(leaf.source, exp.Table)
    }
    return frozenset().union(*(trace(*leaf) for leaf in leaves if leaf != (table, column)))


def lineage_file() -> str:
    """Return the file as text: a column of `monthly_costs`, and one of `costs` that it needs."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("column", "column_of_costs"))
    for column in MARTS["monthly_costs"].columns:
        for origin in sorted(trace("monthly_costs", column.name)):
            writer.writerow((column.name, origin))
    return text.getvalue()


if __name__ == "__main__":
    FILE.write_text(lineage_file(), encoding="utf-8")
