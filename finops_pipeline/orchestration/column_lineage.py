"""Which columns the columns of an asset come from, as Dagster shows it.

Put here: reading it from column_lineage.csv, which is traced through the SQL of the marts
(tests/support/column_lineage.py). Keep out: the columns of landing, which depend on the source.
"""

from __future__ import annotations

import csv
from importlib import resources

import dagster as dg

_FILE = "column_lineage.csv"


def read_lineage(costs: dg.AssetKey) -> dg.TableColumnLineage:
    """Return the columns of `costs` that each column of `monthly_costs` comes from."""
    text = (resources.files(__package__) / _FILE).read_text(encoding="utf-8")
    origins: dict[str, list[dg.TableColumnDep]] = {}
    for line in csv.DictReader(text.splitlines()):
        origin = dg.TableColumnDep(asset_key=costs, column_name=line["column_of_costs"])
        origins.setdefault(line["column"], []).append(origin)
    return dg.TableColumnLineage(deps_by_column=origins)
