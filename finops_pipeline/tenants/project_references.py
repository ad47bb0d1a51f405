"""Where a tenant's declaration names its projects and sources: rules, tags, shared costs, budgets.

Put here: naming a renamed one there, refusing to remove or disable a project that is named. Keep
out: the sections themselves, renaming a project's data (application/lifecycle_changes.py).
"""

from __future__ import annotations

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.budgets import rename_budget_project
from finops_pipeline.tenants.dimension_changes import rename_rule_project
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.required_tags import rename_set_project
from finops_pipeline.tenants.shared_costs import check_receivers, rename_shared_project


def rename_source_references(tenant: Tenant, old: str, new: str) -> Tenant:
    """Return the tenant with the new name of a source wherever a project named the old one."""
    projects = tuple(
        p.model_copy(update={"sources": tuple(new if s == old else s for s in p.sources)})
        for p in tenant.projects
    )
    return tenant.model_copy(update={"projects": projects})


def rename_project_references(tenant: Tenant, old: str, new: str) -> Tenant:
    """Return the tenant with the new name of a project wherever the old one was named."""
    sections = {
        "dimensions": rename_rule_project(tenant.dimensions, old, new),
        "required_tags": rename_set_project(tenant.required_tags, old, new),
        "budgets": rename_budget_project(tenant.budgets, old, new),
        "shared_costs": rename_shared_project(tenant.shared_costs, old, new),
        "without_value": new if tenant.without_value == old else tenant.without_value,
    }
    return tenant.model_copy(update=sections)


def check_not_named(tenant: Tenant, name: str) -> None:
    """Check that no shared costs, required tags or budgets name a project that is to be removed.

    Otherwise a part of a shared cost would go to a project that does not exist.

    Raises:
        RegistryError: one does.
    """
    named = [
        f"shared cost {entry.name}"
        for entry in tenant.shared_costs
        if name in (*entry.projects, *entry.listed_receivers)
    ]
    named += [
        f"required_tags.{key}" for key, s in tenant.required_tags.items() if name in s.projects
    ]
    named += [f"budgets.{budget.name}" for budget in tenant.budgets if budget.project == name]
    if named:
        raise RegistryError(
            f"project {tenant.name}/{name} is named by {' and '.join(named)}",
            "a project that no shared costs, required tags or budgets name",
            "Leave it out there in tenants.yaml, and declare them again: finops apply tenants.yaml",
        )


def check_can_be_disabled(tenant: Tenant, name: str) -> None:
    """Check that a project that is to be disabled receives no shared cost.

    Raises:
        RegistryError: it receives one.
    """
    check_receivers(tenant.name, tenant.shared_costs, {name})
