"""Costs partitions that were built from something else than what has landed and is declared now.

Put here: finding them in the ledger, without building anything. Keep out: building them (focus),
which tenants are examined (tenant_due.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.tag_spellings import tag_spellings
from finops_pipeline.focus.costs_partitions import GONE, costs_fingerprint
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger
from finops_pipeline.ledger.month_plan import plan_month
from finops_pipeline.tenants.model import Tenant

Outdated = dict[tuple[str, str], str]
"""(project, month) -> the fingerprint that its partition should have; empty: it should go."""


def find_outdated_costs(tenant: Tenant, ledger: Ledger) -> Outdated:
    """Find the partitions that a build of every month would change."""
    stored = {key: record.fingerprint for key, record in ledger.partitions(COSTS).items()}
    by_month: dict[str, list[DeliveryRecord]] = {}
    for delivery in ledger.deliveries():
        by_month.setdefault(delivery.billing_period, []).append(delivery)
    spellings = tag_spellings(ledger.legacy_columns())
    outdated: Outdated = {}
    for month, deliveries in by_month.items():
        for name, project in plan_month(tenant, month, deliveries).projects.items():
            if project.deliveries:
                mark = costs_fingerprint(project, spellings)
                if stored.get((name, month)) != mark:
                    outdated[name, month] = mark
    names = {project.name for project in tenant.all_projects}
    gone = {key: "" for key, mark in stored.items() if key[0] not in names and mark != GONE}
    return outdated | gone
