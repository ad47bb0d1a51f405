"""What a tenant's months cost on each day, as its published file has it.

Put here: reading these sums for those that show a month at a glance. Keep out: the mart itself
(sql/daily_costs.sql), how the sums are shown (orchestration).

Reads: daily_costs
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal

from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading

DayTotals = Mapping[date, Decimal]
"""Day -> billed cost of all projects."""


def read_day_totals(
    folder: TenantFolder, months: Collection[str]
) -> Mapping[tuple[str, str], DayTotals]:
    """Read the billed cost of each day by (month, currency).

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    with reading(folder) as connection:
        rows = connection.execute(
            "select billing_period, billing_currency, charge_date, sum(billed_cost)"
            " from daily_costs where billing_period in (select unnest(?::varchar[]))"
            " group by all order by all",
            [sorted(months)],
        ).fetchall()
    totals: dict[tuple[str, str], dict[date, Decimal]] = {}
    for month, currency, day, billed in rows:
        totals.setdefault((month, currency), {})[day] = billed
    return totals
