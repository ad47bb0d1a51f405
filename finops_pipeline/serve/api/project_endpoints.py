"""Endpoints that declare a tenant's projects: list, add, change, rename, remove, preview.

Put here: projects as a tenant's administrator declares them. Keep out: what is declared
(application/project_declarations.py), projects as they were built (table_endpoints.py).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from finops_pipeline.application.lifecycle_changes import Kind, Subject, remove, rename
from finops_pipeline.application.project_declarations import (
    add_project,
    change_project,
    list_projects,
    preview_projects,
)
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.api.data_request import Data
from finops_pipeline.serve.api.declaration_models import (
    NewName,
    PreviewBody,
    ProjectBody,
    ProjectChange,
)
from finops_pipeline.serve.api.request_parameters import ProjectRemoval
from finops_pipeline.serve.api.tenant_changes import (
    actor_of,
    administered,
    answer_changed,
    calculating,
    changing,
    listed,
)

ProjectName = Annotated[str, Path(max_length=100, description="Its name.", examples=["prod"])]
_CREATED = 201


def list_declared_projects(data: Data) -> Response:
    """List the declared projects with their claims, also those without any charges yet."""
    return listed(data, list_projects(administered(data)))


def create_project(data: Data, asked: ProjectBody) -> Response:
    """Declare a project. Its charges move with the next ingest."""
    own = administered(data)
    with changing(data, f"project {asked.name}") as lines:
        lines += add_project(own, asked.as_entry())
    return answer_changed(data, _CREATED, changes=lines)


def update_project(data: Data, project: ProjectName, asked: ProjectChange) -> Response:
    """Change fields of a project; fields that are left out stay.

    `accounts` and `claims` replace the stored lists, so that a claim can be taken back. Charges
    move with the next ingest.
    """
    own = administered(data)
    with changing(data, f"project {project}") as lines:
        lines += change_project(own, project, asked.as_entry())
    return answer_changed(data, changes=lines)


def rename_project(data: Data, project: ProjectName, asked: NewName) -> Response:
    """Rename a project; grants, rules and shared costs that name it follow.

    Its charges have the new name after the next ingest.
    """
    own, access = administered(data), _access(data)
    with changing(data, f"project {project}") as lines:
        own.read()
        lines += rename(own.installation, Subject(Kind.PROJECT, own.name, project), asked.name)[:1]
        access.rename_project(own.name, project, asked.name)
    return answer_changed(data, changes=lines)


def remove_project(
    data: Data, project: ProjectName, asked: Annotated[ProjectRemoval, Query()]
) -> Response:
    """Remove a project; its charges are unassigned after the next ingest.

    If it has charges, the parameter `confirmation` must be its name. Grants that are limited to
    it show nothing of it any more.
    """
    own, access = administered(data), _access(data)
    subject = Subject(Kind.PROJECT, own.name, project)
    confirmation = subject.full_name if asked.confirmation == project else ""
    with changing(data, f"project {project}") as lines:
        with own.changing():
            lines += remove(own.installation, subject, confirmation)[:1]
        access.remove_project(own.name, project)
    return answer_changed(data, changes=lines)


def preview_claims(data: Data, asked: PreviewBody) -> Response:
    """Show which charges changed claims would move between projects; nothing is changed."""
    own = administered(data)
    with calculating(data):
        preview = preview_projects(own, [project.as_entry() for project in asked.projects])
    return listed(data, map(asdict, preview.moved), notes=preview.notes)


def _access(data: Data) -> AccessAdministration:
    return AccessAdministration(data.services.access, actor_of(data))
