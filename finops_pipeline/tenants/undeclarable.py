"""Refusing what a file may not declare: ids that the registry makes, and the state `removed`.

Put here: refusals of what only the registry or a command decides. Keep out: fields with a wrong
value (declare.py, model.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import Project, Source, Tenant
from finops_pipeline.tenants.project_identity import REGISTRY_FIELDS


def check_not_removed(tenant: Tenant, path: Path) -> None:
    """Refuse the state `removed`, which only commands can set.

    Raises:
        RegistryError: the tenant, or a source or project of it, has this state.
    """
    parts: list[Tenant | Source | Project] = [tenant, *tenant.sources, *tenant.projects]
    for declared in parts:
        if declared.state is Lifecycle.REMOVED:
            raise RegistryError(
                f"{path}, tenant {tenant.name}: {declared.name} has the state removed",
                "active or disabled",
                "Leave it out of the file, and run finops tenant remove, finops source remove or"
                " finops project remove",
            )


def check_no_external_id(entry: dict[str, Any], place: str) -> None:
    """Refuse an external id, which only the registry creates.

    Args:
        entry: the tenant as plain data.
        place: the file and the tenant, for the message.

    Raises:
        RegistryError: the tenant or a source of it has such a field.
    """
    sources = entry.get("sources")
    for part in (entry, *(sources if isinstance(sources, list) else ())):
        if isinstance(part, dict) and "external_id" in part:
            raise RegistryError(
                f"{place}: external_id is declared",
                "no external_id: it protects the tenant only if nobody can choose it",
                "Leave it out; finops source policy TENANT/SOURCE shows the generated one",
            )


def check_no_project_id(entry: dict[str, Any], place: str) -> None:
    """Refuse what tells a project from an earlier one of its name, which only the registry knows.

    Args:
        entry: the tenant as plain data.
        place: the file and the tenant, for the message.

    Raises:
        RegistryError: a project of it has such a field.
    """
    projects = entry.get("projects")
    for project in projects if isinstance(projects, list) else ():
        for field in REGISTRY_FIELDS:
            if isinstance(project, dict) and field in project:
                raise RegistryError(
                    f"{place}: project {project.get('name')!r} is declared with {field}",
                    f"no {field}: the registry makes it when the project is first declared",
                    "Leave it out",
                )
