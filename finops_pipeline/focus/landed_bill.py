"""A landed delivery as the conversion reads it: its relation, columns, accounts, empty columns.

Put here: properties read once per delivery, however many projects share it. Keep out: which
project owns which row (owned_rows.py), how rows are converted (sql/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.focus.reservation_units import find_normalized_units
from finops_pipeline.focus.running_month import find_use_known_until
from finops_pipeline.lake.duck import Connection, columns_of, empty_columns, ident, text
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.tenants.model import SourceFormat


@dataclass(frozen=True)
class LandedBill:
    """One source's landing of a month.

    `columns`: its columns and their DuckDB types; `empty`: columns without any value (known from
    the Parquet footer), which need not be evaluated row by row; `accounts`: the distinct unaltered
    values of its account column, None for null; `keys`: the keys of each map column; `in_units`:
    ARNs of reservations that are counted in normalized units; `use_known_until`: the end of the
    last usage of an unfinished month, None for any other; `unreadable`: columns with values
    that cannot be read; `tag_spellings`: see MonthPlan.
    """

    source: str
    format: SourceFormat
    relation: str
    columns: dict[str, str]
    empty: frozenset[str]
    accounts: tuple[str | None, ...]
    keys: dict[str, tuple[str, ...]]
    in_units: tuple[str, ...]
    use_known_until: datetime | None
    unreadable: frozenset[str]
    tag_spellings: Mapping[str, str]

    @property
    def form(self) -> BillForm:
        """The description of its bill format."""
        return FORMS[self.format]


def read_landed_bill(
    connection: Connection, path: Path, delivery: DeliveryRecord, tag_spellings: Mapping[str, str]
) -> LandedBill:
    """Read the properties of a landed delivery that its conversion needs.

    Args:
        path: its Parquet file.
    """
    # The format at landing; the registry may declare another one by now.
    format = SourceFormat(delivery.format)
    form = FORMS[format]
    relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
    columns = columns_of(connection, relation)
    column = form.find(columns).get(form.account)
    accounts: tuple[str | None, ...] = ()
    if column is not None:
        query = f"select distinct {ident(column)}::varchar from {relation} order by 1"
        accounts = tuple(row[0] for row in connection.execute(query).fetchall())
    empty = empty_columns(connection, path)
    keys = {
        name: _keys_of(connection, relation, name)
        for name, type_ in columns.items()
        if type_.startswith("MAP(VARCHAR")
    }
    units: tuple[str, ...] = ()
    use_known_until = None
    if form.has_reservation_units:
        units = find_normalized_units(connection, relation, columns, empty)
        use_known_until = find_use_known_until(connection, relation, columns, delivery)
    unreadable = frozenset(delivery.values_unreadable)
    return LandedBill(
        source=delivery.source,
        format=format,
        relation=relation,
        columns=columns,
        empty=empty,
        accounts=accounts,
        keys=keys,
        in_units=units,
        use_known_until=use_known_until,
        unreadable=unreadable,
        tag_spellings=tag_spellings,
    )


def _keys_of(connection: Connection, relation: str, column: str) -> tuple[str, ...]:
    query = f"select distinct unnest(map_keys({ident(column)})) from {relation} order by 1"
    return tuple(row[0] for row in connection.execute(query).fetchall())
