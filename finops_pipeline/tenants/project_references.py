"""Where a tenant's declaration names its projects: rules, required tags, shared costs.

Put here: naming a renamed project there. Keep out: the sections themselves, renaming a project's
data (application/lifecycle_changes.py).
"""

from __future__ import annotations

from finops_pipeline.tenants.dimension_changes import rename_rule_project
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.required_tags import rename_set_project
from finops_pipeline.tenants.shared_costs import rename_shared_project


def rename_project_references(tenant: Tenant, old: str, new: str) -> Tenant:
    """Return the tenant with the new name of a project wherever the old one was named."""
    sections = {
        "dimensions": rename_rule_project(tenant.dimensions, old, new),
        "required_tags": rename_set_project(tenant.required_tags, old, new),
        "shared_costs": rename_shared_project(tenant.shared_costs, old, new),
    }
    return tenant.model_copy(update=sections)
