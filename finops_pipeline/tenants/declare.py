"""tenants.yaml: the declared form of the registry, read and merged.

Put here: validating the file with errors that name the place, merging it into the stored registry,
and describing each change. Keep out: reading YAML (yaml_file.py), storing (registry.py), rules for
tenants and projects (model.py).

Merging never deletes what the file omits. A claim is ended with a `to` date or `finops project
release`; anything else is disabled or removed by a command (application/lifecycle_changes.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.alert_settings import AlertSettings, DeclaredAlerts
from finops_pipeline.tenants.budgets import DeclaredBudgets
from finops_pipeline.tenants.claim_conflicts import check_stored_claims
from finops_pipeline.tenants.dimension_changes import (
    check_rule_projects,
    list_dimension_changes,
    merge_dimensions,
)
from finops_pipeline.tenants.dimensions import Dimensions
from finops_pipeline.tenants.field_errors import validate
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Project, Source, Tenant
from finops_pipeline.tenants.part_differences import list_differences
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.required_tags import (
    DeclaredSets,
    check_projects,
    list_set_changes,
)
from finops_pipeline.tenants.shared_costs import (
    SharedCosts,
    check_receivers,
    check_shared_projects,
    list_shared_changes,
)
from finops_pipeline.tenants.source import DeclaredSource
from finops_pipeline.tenants.statement_terms import DeclaredTerms, TenantTerms
from finops_pipeline.tenants.undeclarable import (
    check_no_external_id,
    check_no_project_id,
    check_not_removed,
)
from finops_pipeline.tenants.watched_sections import (
    SECTIONS,
    keep_undeclared,
    list_watched_changes,
)
from finops_pipeline.tenants.yaml_file import read_yaml

_Part = TypeVar("_Part", Source, Project)


def _list_nothing(value: object) -> object:
    """Read a key without a value as an empty list, as authors of YAML mean it."""
    return () if value is None else value


class _DeclaredTenant(BaseModel):
    """One tenant of the file; its projects may name sources that only the registry has."""

    model_config = ConfigDict(extra="forbid")
    name: str
    display_name: str = ""
    state: Lifecycle = Lifecycle.ACTIVE
    sources: Annotated[tuple[DeclaredSource, ...], BeforeValidator(_list_nothing)] = ()
    projects: Annotated[tuple[Project, ...], BeforeValidator(_list_nothing)] = ()
    dimensions: Dimensions | None = None
    shared_costs: SharedCosts = ()
    without_value: str = ""
    statements: DeclaredTerms = Field(default_factory=TenantTerms)
    required_tags: DeclaredSets = {}
    budgets: DeclaredBudgets = ()
    alerts: DeclaredAlerts = Field(default_factory=AlertSettings)


class _Declaration(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tenants: list[dict[str, Any]]


def read_declaration(path: Path) -> list[Tenant]:
    """Read a tenants.yaml. Relative source locations are resolved from the file's folder.

    Raises:
        RegistryError: the file cannot be read, is not YAML, or a declaration in it breaks a rule;
            the message names the place.
    """
    entries = validate(_Declaration, read_yaml(path) or {}, str(path)).tenants
    tenants = [parse_entry(entry, path) for entry in entries]
    _check_unique("tenant", [tenant.name for tenant in tenants], str(path))
    for tenant in tenants:
        check_not_removed(tenant, path)
    return tenants


def parse_entry(entry: dict[str, Any], path: Path) -> Tenant:
    """Read one tenant of a declaration.

    Args:
        entry: the tenant as plain data.
        path: the file, for messages and relative locations.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    place = f"{path}, tenant {entry.get('name', '(no name)')}"
    check_no_external_id(entry, place)
    check_no_project_id(entry, place)
    declared = validate(_DeclaredTenant, entry, place)
    _check_unique("source", [source.name for source in declared.sources], place)
    _check_unique("project", [project.name for project in declared.projects], place)
    labels = declared.model_dump(include={"name", "display_name", "state"}, exclude_unset=True)
    sources = tuple(_resolve_location(source, path) for source in declared.sources)
    # Rules between sources and projects are checked after merging: a file may name only one part.
    parts: dict[str, object] = {"sources": sources, "projects": declared.projects}
    parts["without_value"] = declared.without_value
    if "shared_costs" in entry:
        parts["shared_costs"] = declared.shared_costs
    if "dimensions" in entry:
        parts["dimensions"] = declared.dimensions or Dimensions()
    for section in ("statements", "required_tags", *SECTIONS):
        if section in entry:
            parts[section] = getattr(declared, section)
    return validate(Tenant, labels, place).model_copy(update=parts)


def _check_unique(kind: str, names: list[str], place: str) -> None:
    counts = Counter(names)
    for name in names:
        if counts[name] > 1:
            raise RegistryError(
                f"{place}: {kind} {name} is declared twice",
                "each name once",
                "Merge the two entries, or rename one of them",
            )


def _resolve_location(source: Source, path: Path) -> Source:
    """Make the location of a source absolute, relative to the folder of the file."""
    location = source.location
    if not location:
        return source
    if "://" in location:
        return source.model_copy(update={"location": location.rstrip("/")})
    try:
        folder = (path.parent / Path(location).expanduser()).resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise RegistryError(
            f"{path}: location {location!r} is not a path ({error})", "a folder or a URL"
        ) from error
    return source.model_copy(update={"location": str(folder)})


def apply(registry: Registry, declared: list[Tenant], path: Path | None = None) -> list[str]:
    """Merge declared tenants into the registry in one transaction.

    Args:
        path: the file that declares them, for messages.

    Returns:
        One line per change (`+ project acme/prod`, `~ source acme/payer: location a -> b`);
        empty when nothing changed.

    Raises:
        RegistryError: the merged registry breaks a rule; nothing is changed.
    """
    with registry.locked():
        stored = {tenant.name: tenant for tenant in registry.tenants()}
        changes: list[str] = []
        changed: list[Tenant] = []
        for new in declared:
            old = stored.get(new.name)
            if old and old.state is Lifecycle.REMOVED:
                raise _taken(old.name)
            lines = [] if old else [f"+ tenant {new.name}"]
            old = old or Tenant(name=new.name, display_name=new.display_name)
            tenant, differences = merge(old, new, path)
            lines += differences
            changes += lines
            if lines:
                changed.append(tenant)
        if changed:
            registry.save(*changed)
        return changes


def _taken(name: str) -> RegistryError:
    """Refuse to declare a removed tenant: the name may mean another organisation now."""
    return RegistryError(
        f"tenant {name} was removed, and its data is still there",
        "a name without the data of an earlier tenant",
        f"If it is the same organisation: finops tenant enable {name}; if it is another one, delete"
        f" the data first: finops tenant purge {name} --yes {name}",
    )


def merge(old: Tenant, new: Tenant, path: Path | None = None) -> tuple[Tenant, list[str]]:
    """Merge the declaration of a tenant into the stored tenant.

    Args:
        path: the file that has the declaration, for messages.

    Returns:
        The merged tenant, and one line for each change.

    Raises:
        RegistryError: the merged tenant breaks a rule; the message names the place.
    """
    try:
        return _merge(old, new)
    except RegistryError as error:
        place = f"{path}: " if path else ""
        raise RegistryError(f"{place}{error.found}", error.expected, error.cure) from error


def _merge(old: Tenant, new: Tenant) -> tuple[Tenant, list[str]]:
    lines: list[str] = []
    display_name = new.display_name or old.display_name
    if display_name != old.display_name:
        lines.append(f"~ tenant {new.name}: display_name {old.display_name!r} -> {display_name!r}")
    state = new.state if "state" in new.model_fields_set else old.state
    if state is not old.state:
        lines.append(f"~ tenant {new.name}: state {old.state} -> {state}")
    without_value = new.without_value or old.without_value
    if without_value != old.without_value:
        before = old.without_value or UNASSIGNED
        lines.append(f"~ tenant {new.name}: without_value {before} -> {without_value}")
    statements = new.statements if "statements" in new.model_fields_set else old.statements
    if statements != old.statements:
        lines.append(f"~ tenant {new.name}: statements {old.statements} -> {statements}")
    names = {UNASSIGNED, *(project.name for project in (*old.projects, *new.projects))}
    required_tags = old.required_tags
    if "required_tags" in new.model_fields_set:
        required_tags = new.required_tags
        check_projects(new.name, required_tags, names)
        lines += list_set_changes(new.name, old.required_tags, required_tags)
    check_stored_claims(old, new)
    declared_projects = tuple(_keep_claims(old, project) for project in new.projects)
    sources, source_lines = _merge_parts(new.name, old.sources, new.sources)
    projects, project_lines = _merge_parts(new.name, old.projects, declared_projects)
    dimensions = old.dimensions
    if "dimensions" in new.model_fields_set:
        check_rule_projects(new, [*old.projects, *new.projects])
        dimensions = merge_dimensions(old.dimensions, new.dimensions)
    shared_costs = old.shared_costs
    if "shared_costs" in new.model_fields_set:
        check_shared_projects(new.name, new.shared_costs, names)
        shared_costs = new.shared_costs
        check_receivers(new.name, shared_costs, _disabled(projects))
    check_receivers(new.name, shared_costs, _disabled(projects) - _disabled(old.projects))
    merged = Tenant(
        name=new.name,
        display_name=display_name,
        external_id=old.external_id,
        state=state,
        sources=sources,
        projects=projects,
        dimensions=dimensions,
        shared_costs=shared_costs,
        without_value=without_value,
        statements=statements,
        required_tags=required_tags,
        **keep_undeclared(old, new),
    )
    dimension_lines = list_dimension_changes(new.name, old.dimensions, dimensions)
    shared_lines = list_shared_changes(new.name, old.shared_costs, shared_costs)
    watched_lines = list_watched_changes(old, merged)
    lines += [*source_lines, *project_lines, *dimension_lines, *shared_lines, *watched_lines]
    return merged, lines


def _disabled(projects: Iterable[Project]) -> set[str]:
    return {project.name for project in projects if project.state is Lifecycle.DISABLED}


def _keep_claims(old: Tenant, project: Project) -> Project:
    """Add to a declared project the stored claims of accounts that it does not mention."""
    stored = next((p for p in old.projects if p.name == project.name), None)
    if stored is None:
        return project
    declared = {claim.id for claim in project.accounts}
    stored_claims = [claim for claim in stored.accounts if claim.id not in declared]
    claims = sorted(
        [*stored_claims, *project.accounts],
        key=lambda c: (c.id, str(c.from_day or ""), str(c.to_day or "")),
    )
    return project.model_copy(update={"accounts": tuple(claims)})


def _merge_parts(
    tenant: str, old: tuple[_Part, ...], new: tuple[_Part, ...]
) -> tuple[tuple[_Part, ...], list[str]]:
    """Merge the sources or projects of a tenant, by name; also returns a line per change."""
    parts = {part.name: part for part in old}
    lines: list[str] = []
    for declared in new:
        label = f"{_name_kind(declared)} {tenant}/{declared.name}"
        before = parts.get(declared.name)
        if before is None:
            parts[declared.name] = declared
            lines.append(f"+ {label}")
        elif before.state is Lifecycle.REMOVED:
            parts[declared.name] = _merge_part(before, declared)
            lines.append(f"+ {label}, which was removed; its data is still there")
        else:
            after = parts[declared.name] = _merge_part(before, declared)
            lines += [f"~ {label}: {text}" for text in list_differences(before, after)]
    return tuple(parts[name] for name in sorted(parts)), lines


def _merge_part(before: _Part, declared: _Part) -> _Part:
    """Update a stored source or project with the declared fields, and check its rules again."""
    stored = {field: getattr(before, field) for field in type(before).model_fields}
    fields = {field: getattr(declared, field) for field in declared.model_fields_set}
    if before.state is Lifecycle.REMOVED:
        stored["state"] = Lifecycle.ACTIVE
    # Adding or removing a location may make it a source of another kind.
    kind: Any = DeclaredSource if isinstance(before, Source) else Project
    merged: _Part = validate(kind, stored | fields, f"{_name_kind(before)} {before.name}")
    return merged


def _name_kind(part: Source | Project) -> str:
    return "source" if isinstance(part, Source) else "project"
