"""Tenants as plain data with their external ids: what a backup holds and `tenant export` prints.

Put here: writing and reading this form. Keep out: the form without external ids, which users write
(declare.py), and where either is stored.

An external id is taken from such data only where the registry does not have the tenant: when a
backup is restored, or a lost registry (docs/decisions/0046).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.declare import parse_entry
from finops_pipeline.tenants.dimensions import export_dimensions
from finops_pipeline.tenants.lifecycle import Declared, Lifecycle
from finops_pipeline.tenants.model import Project, Source, Tenant
from finops_pipeline.tenants.project_identity import take_registry_fields
from finops_pipeline.tenants.required_tags import export_required_sets
from finops_pipeline.tenants.statement_terms import export_terms
from finops_pipeline.tenants.watched_sections import export_watched
from finops_pipeline.tenants.yaml_file import read_yaml

_FORM = "a file that finops tenant export wrote, or a tenants.yaml"


@dataclass(frozen=True)
class Export:
    """Everything that a registry holds; `installation_id` is empty in a tenants.yaml."""

    installation_id: str
    tenants: tuple[Tenant, ...]


def export_tenant(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant as an entry of tenants.yaml, with its external id."""
    entry: dict[str, Any] = {"name": tenant.name, "display_name": tenant.display_name}
    entry |= _state(tenant)
    entry["external_id"] = tenant.external_id
    entry["sources"] = [_source(source) for source in tenant.sources]
    entry["projects"] = [export_project(project) for project in tenant.projects]
    entry["dimensions"] = export_dimensions(tenant.dimensions)
    entry["shared_costs"] = [shared.declaration for shared in tenant.shared_costs]
    entry["without_value"] = tenant.without_value
    entry["statements"] = export_terms(tenant.statements)
    entry["required_tags"] = export_required_sets(tenant.required_tags)
    entry |= export_watched(tenant)
    return {name: value for name, value in entry.items() if value}


def export_text(installation_id: str, tenants: Iterable[Tenant]) -> str:
    """Return a registry's contents as YAML."""
    entries = [export_tenant(tenant) for tenant in tenants]
    document = {"installation_id": installation_id, "tenants": entries}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read_export(path: Path) -> Export:
    """Read a file that `finops tenant export` wrote, or a tenants.yaml.

    Raises:
        RegistryError: it is neither, or breaks a rule; the message names the place.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("tenants"), list):
        raise RegistryError(f"{path} has no list of tenants", _FORM)
    tenants = tuple(parse_export(entry, path) for entry in raw["tenants"])
    names = [tenant.name for tenant in tenants]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RegistryError(f"{path}: tenant {repeated[0]} is declared twice", "one entry")
    installation_id = raw.get("installation_id", "")
    return Export(_check_id(installation_id, f"{path}: installation_id"), tenants)


def parse_export(entry: Any, path: Path) -> Tenant:
    """Read one tenant with its external id.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    if not isinstance(entry, Mapping):
        raise RegistryError(f"{path}: a tenant is {entry!r}", _FORM)
    fields = dict(entry)
    name = fields.get("name", "(no name)")
    external_id = _check_id(fields.pop("external_id", ""), f"{path}, tenant {name}: external_id")
    fields, own = take_registry_fields(fields, f"{path}, tenant {name}")
    declared = parse_entry(fields, path)
    # The rules between sources and projects, which a merge would check.
    tenant = Tenant.model_validate({name: getattr(declared, name) for name in Tenant.model_fields})
    projects = tuple(p.model_copy(update=own.get(p.name, {})) for p in tenant.projects)
    return tenant.model_copy(update={"external_id": external_id, "projects": projects})


def _check_id(value: object, place: str) -> str:
    try:
        return str(uuid.UUID(str(value))) if value else ""
    except ValueError as error:
        raise RegistryError(f"{place} is {value!r}", "an id as finops made it") from error


def _state(declared: Declared) -> dict[str, Any]:
    """Return the state as a field; active is what an entry without it is."""
    return {} if declared.state is Lifecycle.ACTIVE else {"state": declared.state.value}


def _source(source: Source) -> dict[str, Any]:
    fields = source.model_dump(mode="json", exclude={"state"}) | _state(source)
    return {name: value for name, value in fields.items() if value}


def export_project(project: Project) -> dict[str, Any]:
    """Return a project as an entry of tenants.yaml."""
    fields = project.model_dump(mode="json", exclude={"accounts", "claims", "state", "statements"})
    fields |= _state(project)
    fields["statements"] = export_terms(project.statements)
    accounts = [
        claim.model_dump(mode="json", by_alias=True, exclude_none=True)
        for claim in project.accounts
    ]
    fields["accounts"] = [c["id"] if len(c) == 1 else c for c in accounts]
    fields["claims"] = [claim.declaration for claim in project.claims]
    return {name: value for name, value in fields.items() if value}
