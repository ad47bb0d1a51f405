"""Reservations of a bill that are counted in normalized units rather than in hours.

Put here: the unit of a size-flexible reservation. Keep out: quantities of its rows (sql/).

FOCUS 1.2 requires one CommitmentDiscountUnit for all rows of a commitment, so all landed rows
decide it together: a project's month must not depend on which other projects are built with it.
"""

from __future__ import annotations

from collections.abc import Container

from finops_pipeline.contracts.bills import CUR
from finops_pipeline.focus.normalise import typed
from finops_pipeline.lake.duck import Connection

_REQUIRED = {
    "reservation_reservation_a_r_n": "arn",
    "line_item_line_item_type": "line_type",
    "line_item_normalized_usage_amount": "used_units",
    "reservation_total_reserved_normalized_units": "total_units",
}
_OPTIONAL = {
    "line_item_usage_amount": "used",
    "reservation_unused_normalized_unit_quantity": "unused_units",
    "reservation_unused_quantity": "unused",
}
"""Canonical column -> its name in the query."""

_QUERY = """
with line as ({rows})
select arn
from line
where arn is not null and line_type in ('DiscountedUsage', 'RIFee')
group by arn
having bool_and(
    case line_type
        when 'DiscountedUsage' then used_units > 0 or coalesce(used, 0) = 0
        else total_units > 0 and (unused_units is not null or coalesce(unused, 0) = 0)
    end is true
) and bool_or(line_type = 'RIFee' or used_units > 0)
order by arn
"""


def find_normalized_units(
    connection: Connection, relation: str, columns: dict[str, str], empty: Container[str]
) -> tuple[str, ...]:
    """List the reservations (ARNs) whose every row states normalized units (AWS: size-flexible).

    A fee states the reserved and unused units (AWS "Reservation details",
    TotalReservedNormalizedUnits), and covered usage the units it used (NormalizedUsageAmount). Fees
    of zonal reservations state none (AWS "Understanding your reservation line items"), because
    those cover a single size.

    Args:
        relation: SQL for all landed rows of a delivery.
        columns: its columns and DuckDB types.
        empty: columns known to have no value.
    """
    present = {name: c for name, c in CUR.find(columns).items() if c not in empty}
    if not _REQUIRED.keys() <= present.keys():
        return ()
    aliases = _REQUIRED | _OPTIONAL
    parts = [
        (
            typed(present[name], columns[present[name]], kind, lenient=True)
            if name in present
            else f"null::{kind}"
        )
        + f" as {aliases[name]}"
        for name, kind in CUR.types.items()
        if name in aliases
    ]
    rows = f"select {', '.join(parts)} from {relation}"
    return tuple(row[0] for row in connection.execute(_QUERY.format(rows=rows)).fetchall())
