"""Projects that a tenant's administrator declares one at a time: list, add, change, preview.

Put here: these use cases, and how much one tenant may declare. Keep out: declaring from a file
(declared_file.py), removing and renaming (lifecycle_changes.py), the rules of claims (tenants/).

A change names fields; fields that it does not name stay. A list that it names replaces the stored
one, so that a claim can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from finops_pipeline.application.administered_tenant import REQUEST, AdministeredTenant
from finops_pipeline.application.claim_preview import ClaimPreview, preview_declared
from finops_pipeline.application.lifecycle_changes import (
    Kind,
    Subject,
    with_part,
)
from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.declare import parse_entry
from finops_pipeline.tenants.exported import export_project
from finops_pipeline.tenants.field_errors import validate
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Claim, Project, Tenant
from finops_pipeline.tenants.part_differences import list_differences
from finops_pipeline.tenants.project_references import check_can_be_disabled

MOST_PROJECTS, MOST_CLAIMS, MOST_TEXTS = 500, 1000, 5000
"""Of one tenant: projects, claims with conditions, and values in these conditions. All claims are
compared with each other while nobody else can change the registry."""

Fields = Mapping[str, Any]
"""A project as an entry of tenants.yaml, or the fields of it that change."""


def list_projects(own: AdministeredTenant) -> list[dict[str, Any]]:
    """List the declared projects as entries of tenants.yaml, by name.

    Raises:
        NotGranted: another tenant has the name now.
    """
    projects = sorted(own.read().projects, key=lambda project: project.name)
    return [export_project(project) for project in projects]


def add_project(own: AdministeredTenant, entry: Fields) -> list[str]:
    """Declare a project; return a line for the change.

    Raises:
        RegistryError: the name is taken, or the entry breaks a rule; nothing is changed.
        RegistryBusy: another process is changing the registry.
        NotGranted: another tenant has the name now.
    """
    with own.changing() as tenant:
        if entry["name"] in {UNASSIGNED, *(project.name for project in tenant.projects)}:
            raise RegistryError(
                f"project {tenant.name}/{entry['name']} already exists",
                "a name that is free",
                "Choose another name, or change the project that exists",
            )
        own.installation.registry.save(_declare(tenant, entry)[0])
    return [f"+ project {own.name}/{entry['name']}"]


def change_project(own: AdministeredTenant, name: str, fields: Fields) -> list[str]:
    """Change fields of a project; return a line for each field that differs.

    Raises:
        Unknown: the tenant has no such project.
        RegistryError: the changed project breaks a rule; nothing is changed.
        RegistryBusy: another process is changing the registry.
        NotGranted: another tenant has the name now.
    """
    with own.changing() as tenant:
        before = tenant.project(name)
        changed, after = _declare(tenant, {**fields, "name": name})
        if after.state is not before.state:
            _check_state(tenant, after)
        lines = [f"~ project {own.name}/{name}: {d}" for d in list_differences(before, after)]
        if lines:
            own.installation.registry.save(changed)
    return lines


def preview_projects(own: AdministeredTenant, entries: Iterable[Fields]) -> ClaimPreview:
    """Compare the projects of published charges with those that changed projects would give them.

    Args:
        entries: projects to add, or fields of existing ones with their name; none: the claims that
            are declared already.

    Raises:
        Unknown: nothing has been built for the tenant.
        RegistryError: an entry breaks a rule, or claims of equal priority take the same charge.
        NotGranted: another tenant has the name now.
    """
    tenant = own.read()
    for entry in entries:
        tenant, _ = _declare(tenant, entry)
    return preview_declared(own.installation, tenant)


def _declare(tenant: Tenant, entry: Fields) -> tuple[Tenant, Project]:
    """Return the tenant with a project that is new or has changed fields, and this project."""
    name = entry["name"]
    stored = next((project for project in tenant.projects if project.name == name), None)
    if stored is None:
        project = parse_entry({"name": tenant.name, "projects": [entry]}, REQUEST).projects[0]
    else:
        fields = {field: getattr(stored, field) for field in Project.model_fields}
        project = validate(Project, {**fields, **entry}, f"project {tenant.name}/{name}")
    others = [other for other in tenant.projects if other.name != name]
    _check_size(tenant.name, [*others, project])
    return with_part(tenant, Subject(Kind.PROJECT, tenant.name, name), project), project


def _check_state(tenant: Tenant, project: Project) -> None:
    if project.name == UNASSIGNED:
        raise RegistryError(
            f"project {tenant.name}/{UNASSIGNED} is built in, so that its state cannot change",
            "a project that was declared",
        )
    if project.state is Lifecycle.DISABLED:
        check_can_be_disabled(tenant, project.name)


def _check_size(tenant: str, projects: list[Project]) -> None:
    claims = [claim for project in projects for claim in project.claims]
    for number, most, noun in (
        (len(projects), MOST_PROJECTS, "projects"),
        (len(claims), MOST_CLAIMS, "claims with conditions"),
        (sum(map(_count_texts, claims)), MOST_TEXTS, "values in the conditions of claims"),
    ):
        if number > most:
            raise RegistryError(
                f"tenant {tenant} would have {number:,} {noun}",
                f"at most {most:,}",
                "Declare more of them with finops apply",
            )


def _count_texts(claim: Claim) -> int:
    lists = (claim.accounts, claim.regions, claim.services)
    pairs = (*claim.tags, *claim.cost_categories)
    return sum(map(len, lists)) + sum(len(values) for _, values in pairs)
