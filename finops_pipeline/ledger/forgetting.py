"""Removing what a ledger holds of a source, and renaming a project in it.

Put here: writes that change history because an operator decided so. Keep out: the decision
(application), deleting files (lake), the records of ordinary work (ledger.py).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Write
from finops_pipeline.ledger.schema import (
    ALERT_MESSAGES,
    ALERTS,
    API_REQUESTS,
    BILL_TOTALS,
    COST_EXPLORER_DAYS,
    DELIVERIES,
    DELIVERY_TOTALS,
    INVOICES,
    PARTITIONS,
    REFUSALS,
    WASTE_DECISIONS,
)
from finops_pipeline.money import exact_sum


def forget_source(source: str, comparisons_table: str) -> Write:
    """Remove every record of a source: deliveries, totals, refusals, invoices, paid requests.

    Decisions on its findings of waste go, too, and alerts that name it with their messages; what is
    still open of an alert that only has its name in common is found again.

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
        _forget_decisions(db, source)
        _forget_alerts(db, source)

    return write


def _forget_decisions(db: sa.Connection, source: str) -> None:
    table = WASTE_DECISIONS
    for row in db.execute(sa.select(table.c.id, table.c.finding)).all():
        if json.loads(row.finding).get("source") == source:
            db.execute(sa.delete(table).where(table.c.id == row.id))


def _forget_alerts(db: sa.Connection, source: str) -> None:
    """Remove alerts whose key, subject or sentence has the name of a source as a word."""
    name = re.compile(rf"(?<![\w-]){re.escape(source)}(?![\w-])")
    columns = (ALERTS.c.alert_id, ALERTS.c.alert_key, ALERTS.c.subject, ALERTS.c.summary)
    for alert_id, *texts in db.execute(sa.select(*columns)).all():
        if any(name.search(text) for text in texts):
            for table in (ALERTS, ALERT_MESSAGES):
                db.execute(sa.delete(table).where(table.c.alert_id == alert_id))


def rename_project(before: str, after: str) -> Write:
    """Rename a project in the totals of deliveries, and in findings that were decided on.

    If an earlier project had the new name, its totals for the same deliveries are added to them.
    Running this a second time changes nothing.
    """

    def write(db: sa.Connection) -> None:
        table = DELIVERY_TOTALS
        both = table.c.project.in_([before, after])
        totals: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in db.execute(sa.select(table).where(both)).mappings():
            key = (row["delivery_id"], row["service_name"], row["billing_currency"])
            totals.setdefault(key, []).append(dict(row))
        db.execute(sa.delete(table).where(both))
        if totals:
            merged = [_add(rows) | {"project": after} for rows in totals.values()]
            db.execute(sa.insert(table), merged)
        for row in db.execute(sa.select(WASTE_DECISIONS)).mappings():
            finding = json.loads(row["finding"])
            if finding["project"] == before:
                renamed = json.dumps(finding | {"project": after})
                change = sa.update(WASTE_DECISIONS).where(WASTE_DECISIONS.c.id == row["id"])
                db.execute(change.values(finding=renamed))

    return write


def _add(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up totals that differ only in their project and amounts."""
    costs = {
        name: format(exact_sum(Decimal(row[name]) for row in rows), "f")
        for name in ("billed_cost", "effective_cost")
    }
    return rows[0] | costs | {"charges": sum(row["charges"] for row in rows)}
