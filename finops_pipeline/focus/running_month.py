"""The time up to which an unfinished month's bill has usage.

Put here: the last usage of a bill that landed before its month was over. Keep out: what is not used
by then (sql/cur_priced.sql), its days (marts/sql/unused_commitment_days.sql).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from finops_pipeline.contracts.bills import CUR
from finops_pipeline.focus.normalise import typed
from finops_pipeline.lake.duck import Connection
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.tenants.months import end_day

_TYPE, _END = "line_item_line_item_type", "line_item_usage_end_date"
_USAGE = "('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')"


def find_use_known_until(
    connection: Connection, relation: str, columns: dict[str, str], delivery: DeliveryRecord
) -> datetime | None:
    """Find the end of the last usage in an unfinished month's report.

    In its first hour, the fee of a reservation states the whole month as unused; every usage that
    the reservation covers reduces that. All landed rows decide the time, not those of one project.

    Args:
        relation: SQL for all landed rows of the delivery.
        columns: its columns and DuckDB types.

    Returns:
        None for a delivery that landed after its month or states no times of usage.
    """
    end = end_day(delivery.billing_period)
    present = CUR.find(columns)
    is_whole = delivery.landed_at[:10] >= str(end + timedelta(days=1))
    if is_whole or not {_TYPE, _END} <= present.keys():
        return None
    line_type = typed(present[_TYPE], columns[present[_TYPE]], CUR.types[_TYPE])
    usage_end = typed(present[_END], columns[present[_END]], CUR.types[_END])
    query = (
        "select least(max(case when second(usage_end) = 59 then usage_end + interval 1 second"
        f" else usage_end end), timestamp '{end} 00:00:00')"
        f" from (select {line_type} as line_type, {usage_end} as usage_end from {relation})"
        f" where line_type in {_USAGE}"
    )
    (row,) = connection.execute(query).fetchall()
    use_known_until: datetime | None = row[0]
    return use_known_until
