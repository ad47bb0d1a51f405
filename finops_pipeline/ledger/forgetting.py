"""Removing what a ledger holds of a source, and renaming a project in it.

Put here: writes that change history because an operator decided so. Keep out: the decision
(application), deleting files (lake), the records of ordinary work (ledger.py).
"""

from __future__ import annotations

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Write
from finops_pipeline.ledger.schema import (
    API_REQUESTS,
    BILL_TOTALS,
    COST_EXPLORER_DAYS,
    DELIVERIES,
    DELIVERY_TOTALS,
    INVOICES,
    PARTITIONS,
    REFUSALS,
)


def forget_source(source: str, comparisons_table: str) -> Write:
    """Remove every record of a source: deliveries, totals, refusals, invoices, paid requests.

    Args:
        comparisons_table: the table of partitions that are keyed by source.
    """

    def write(db: sa.Connection) -> None:
        ids = sa.select(DELIVERIES.c.delivery_id).where(DELIVERIES.c.source == source)
        db.execute(sa.delete(DELIVERY_TOTALS).where(DELIVERY_TOTALS.c.delivery_id.in_(ids)))
        for table in (
            DELIVERIES,
            REFUSALS,
            API_REQUESTS,
            COST_EXPLORER_DAYS,
            INVOICES,
            BILL_TOTALS,
        ):
            db.execute(sa.delete(table).where(table.c.source == source))
        is_compared = (PARTITIONS.c.table_name == comparisons_table) & (PARTITIONS.c.key == source)
        db.execute(sa.delete(PARTITIONS).where(is_compared))

    return write


def rename_project(before: str, after: str) -> Write:
    """Give the totals of earlier deliveries in a project the project's new name."""

    def write(db: sa.Connection) -> None:
        same = DELIVERY_TOTALS.c.project == before
        db.execute(sa.delete(DELIVERY_TOTALS).where(DELIVERY_TOTALS.c.project == after))
        db.execute(sa.update(DELIVERY_TOTALS).where(same).values(project=after))

    return write
