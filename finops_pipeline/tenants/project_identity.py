"""What tells a project from an earlier one of its name: an id that the registry makes.

Put here: the ids of projects, and keeping them when tenants are saved. Keep out: the tables
(registry_tables.py), which charges were built for which project (marts/project_identities.py).

A project gets its id when it is first declared, and keeps it when it is renamed or claims something
else. One that is removed and declared again gets another id: it is another project, and charges
that were built for the earlier one are not its own. Projects that were declared before there were
ids have none stored; their id is made of the name that they had then.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import UNASSIGNED, Project, Source, Tenant
from finops_pipeline.tenants.registry_tables import FORMER_PROJECTS

REGISTRY_FIELDS = ("project_id", "reused_at")
"""Fields of a project that nobody declares."""

_FORM = re.compile(r"[A-Za-z0-9.:+_-]{0,60}")


@dataclass(frozen=True, order=True)
class ProjectIdentity:
    """A project by name and id.

    `reused_at`: when it got a name that another project had before, as ISO text; otherwise empty.
    What is older and has that name, such as a closed statement, may be the other project's.
    """

    name: str
    project_id: str
    reused_at: str = ""


def id_of_name(name: str) -> str:
    """Return the id of a project from before there were ids, and of the built-in one."""
    return f"named-{name}"


def project_id_of(project: Project) -> str:
    """Return the id of a project."""
    is_built_in = project.name == UNASSIGNED
    return (
        id_of_name(project.name) if is_built_in else project.project_id or id_of_name(project.name)
    )


def renamed_part(part: Source | Project, name: str) -> Source | Project:
    """Return a source with another name, or a project with another name and the same id."""
    own = {"project_id": project_id_of(part)} if isinstance(part, Project) else {}
    return part.model_copy(update={"name": name, **own})


def with_project_ids(
    db: sa.Connection, before: Iterable[Tenant], tenants: Iterable[Tenant]
) -> list[Tenant]:
    """Return tenants whose projects have the ids that are stored, and new ones new ids.

    Args:
        before: the tenants as they are stored.

    Raises:
        RegistryError: a project has an id that the registry did not make for the tenant.
    """
    stored = {tenant.name: tenant for tenant in before}
    return [
        tenant.model_copy(update={"projects": _with_ids(db, stored.get(tenant.name), tenant)})
        for tenant in tenants
    ]


def _with_ids(db: sa.Connection, stored: Tenant | None, tenant: Tenant) -> tuple[Project, ...]:
    by_name = {project.name: project for project in stored.projects} if stored else {}
    ids = {project_id_of(project): project.name for project in by_name.values()}
    names = {project.name for project in tenant.projects}
    identified = []
    for project in tenant.projects:
        own = by_name.get(project.name)
        if own is not None and project.project_id in ("", own.project_id, project_id_of(own)):
            fields = {field: getattr(own, field) for field in REGISTRY_FIELDS}
            identified.append(project.model_copy(update=fields))
            continue
        if project.project_id and project.project_id not in ids:
            raise RegistryError(
                f"project {tenant.name}/{project.name} is declared with an id",
                "no project_id: the registry generates it, and it never changes",
            )
        is_renamed = project.project_id and ids[project.project_id] not in names
        project_id = project.project_id if is_renamed else str(uuid.uuid4())
        identified.append(_named_now(db, tenant.name, project, project_id))
    return tuple(identified)


def _named_now(db: sa.Connection, tenant: str, project: Project, project_id: str) -> Project:
    """Return a project that has just got its name, which another one may have had before."""
    table = FORMER_PROJECTS.c
    query = sa.select(sa.func.count()).where(
        table.tenant == tenant, table.project == project.name, table.project_id != project_id
    )
    reused_at = clock.now().isoformat() if db.scalar(query) else ""
    return project.model_copy(update={"project_id": project_id, "reused_at": reused_at})


def note_former_projects(
    db: sa.Connection, before: Iterable[Tenant], tenants: Iterable[Tenant]
) -> None:
    """Note the names that projects no longer have, or that are another project's now."""
    stored = {tenant.name: tenant for tenant in before}
    for tenant in tenants:
        old = stored.get(tenant.name)
        now = {(p.name, project_id_of(p)) for p in tenant.projects}
        for project in old.projects if old else ():
            row = {"project": project.name, "project_id": project_id_of(project)}
            if (project.name, row["project_id"]) not in now:
                _note(db, {"tenant": tenant.name, **row})


def _note(db: sa.Connection, row: Mapping[str, str]) -> None:
    same = [FORMER_PROJECTS.c[name] == value for name, value in row.items()]
    if not db.scalar(sa.select(sa.func.count()).select_from(FORMER_PROJECTS).where(*same)):
        db.execute(sa.insert(FORMER_PROJECTS), row)


def take_registry_fields(
    entry: dict[str, Any], place: str
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Return an exported tenant without what only the registry makes, and that by project.

    Raises:
        RegistryError: it is not as the registry makes it.
    """
    projects = entry.get("projects")
    if not isinstance(projects, list):
        return entry, {}
    own: dict[str, dict[str, str]] = {}
    rest = []
    for project in projects:
        if isinstance(project, dict):
            found = {f: str(project[f]) for f in REGISTRY_FIELDS if f in project}
            for field, value in found.items():
                if not _FORM.fullmatch(value):
                    raise RegistryError(f"{place}: {field} is {value!r}", "an id as finops made it")
            own[str(project.get("name"))] = found
            project = {k: v for k, v in project.items() if k not in REGISTRY_FIELDS}
        rest.append(project)
    return {**entry, "projects": rest}, own
