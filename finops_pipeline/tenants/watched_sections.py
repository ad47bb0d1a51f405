"""Merging the sections `budgets` and `alerts` of a declaration into the stored tenant.

Put here: merging them, and what changed. Keep out: the sections themselves (budgets.py,
alert_settings.py), merging everything else (declare.py).
"""

from __future__ import annotations

from typing import Any

from finops_pipeline.tenants.alert_settings import export_alert_settings, list_alert_changes
from finops_pipeline.tenants.budgets import (
    BudgetNames,
    check_budgets,
    export_budgets,
    list_budget_changes,
)
from finops_pipeline.tenants.model import UNASSIGNED, Tenant

SECTIONS = ("budgets", "alerts")


def keep_undeclared(old: Tenant, new: Tenant) -> dict[str, Any]:
    """Return both sections: declared ones as they are, others as they are stored."""
    return {name: getattr(new if name in new.model_fields_set else old, name) for name in SECTIONS}


def list_watched_changes(old: Tenant, merged: Tenant) -> list[str]:
    """Check the merged budgets, and describe what changed in both sections, a line for each.

    Raises:
        RegistryError: a budget is for something that the tenant does not have.
    """
    environments = {project.environment for project in merged.projects} - {""}
    names = BudgetNames(
        {UNASSIGNED, *(project.name for project in merged.projects)},
        {UNASSIGNED, *environments},
        {dimension.name for dimension in merged.dimensions.names},
    )
    check_budgets(merged.name, merged.budgets, names)
    return [
        *list_budget_changes(merged.name, old.budgets, merged.budgets),
        *list_alert_changes(merged.name, old.alerts, merged.alerts),
    ]


def export_watched(tenant: Tenant) -> dict[str, Any]:
    """Return both sections as plain data, as tenants.yaml has them."""
    return {
        "budgets": export_budgets(tenant.budgets),
        "alerts": export_alert_settings(tenant.alerts),
    }
