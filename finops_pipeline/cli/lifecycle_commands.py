"""Commands that disable, enable, rename, remove and purge tenants, sources and projects.

Put here: these commands of the groups `tenant`, `source` and `project`. Keep out: what they do
(application/lifecycle_changes.py, purge.py), declaring (declarations.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from finops_pipeline.application import lifecycle_changes
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.lifecycle_changes import Kind, Subject
from finops_pipeline.application.purge import purge
from finops_pipeline.cli.show import open_installation, say, split
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl

TenantName = Annotated[str, typer.Argument(metavar="TENANT")]
SourceName = Annotated[str, typer.Argument(metavar="TENANT/SOURCE")]
ProjectName = Annotated[str, typer.Argument(metavar="TENANT/PROJECT")]
Confirmation = Annotated[
    str, typer.Option("--yes", metavar="NAME", help="The full name once more, as confirmation.")
]


def _subject(kind: Kind, text: str) -> Subject:
    return Subject(kind, text) if kind is Kind.TENANT else Subject(kind, *split(text, kind.upper()))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _disable(kind: Kind, name: str) -> None:
    say(lifecycle_changes.disable(open_installation(), _subject(kind, name)))


def _enable(kind: Kind, name: str) -> None:
    say(lifecycle_changes.enable(open_installation(), _subject(kind, name)))


def _remove(kind: Kind, name: str, confirmation: str) -> None:
    installation, subject = open_installation(), _subject(kind, name)
    lines = lifecycle_changes.remove(installation, subject, confirmation)
    if kind is Kind.PROJECT:
        _access(installation).remove_project(subject.tenant, subject.name)
    _print(lines)


def _purge(kind: Kind, name: str, confirmation: str) -> None:
    _print(purge(open_installation(), _subject(kind, name), confirmation))


def _rename(kind: Kind, name: str, new_name: str) -> None:
    installation, subject = open_installation(), _subject(kind, name)
    lines = lifecycle_changes.rename(installation, subject, new_name)
    if kind is Kind.PROJECT:
        _access(installation).rename_project(subject.tenant, subject.name, new_name)
    _print(lines)


def _access(installation: Installation) -> AccessAdministration:
    return AccessAdministration(AccessControl(installation), Actor.command_line())


def tenant_disable(name: TenantName) -> None:
    """Leave a tenant out of runs, schedules and gaps; its data stays."""
    _disable(Kind.TENANT, name)


def tenant_enable(name: TenantName) -> None:
    """Ingest a disabled or removed tenant again."""
    _enable(Kind.TENANT, name)


def tenant_remove(name: TenantName, yes: Confirmation = "") -> None:
    """Remove a tenant's declaration; its data stays until it is purged."""
    _remove(Kind.TENANT, name, yes)


def tenant_purge(name: TenantName, yes: Confirmation = "") -> None:
    """Delete all data of a removed tenant for good."""
    _purge(Kind.TENANT, name, yes)


def tenant_rename(
    name: TenantName,
    display_name: Annotated[str, typer.Argument(metavar="DISPLAY_NAME", help="Free text.")],
) -> None:
    """Change a tenant's display name; the name of its folder stays."""
    _rename(Kind.TENANT, name, display_name)


def source_disable(name: SourceName) -> None:
    """Ingest nothing new of a source; its charges stay."""
    _disable(Kind.SOURCE, name)


def source_enable(name: SourceName) -> None:
    """Ingest a disabled or removed source again."""
    _enable(Kind.SOURCE, name)


def source_remove(name: SourceName, yes: Confirmation = "") -> None:
    """Remove a source's declaration; what landed from it stays until it is purged."""
    _remove(Kind.SOURCE, name, yes)


def source_purge(name: SourceName, yes: Confirmation = "") -> None:
    """Delete everything that landed from a removed source, and its charges, for good."""
    _purge(Kind.SOURCE, name, yes)


def source_rename(
    name: SourceName, new_name: Annotated[str, typer.Argument(metavar="NEW_NAME")]
) -> None:
    """Rename a source from which nothing has landed yet."""
    _rename(Kind.SOURCE, name, new_name)


def project_disable(name: ProjectName) -> None:
    """Suspend a project's claims: its charges move to unassigned with the next run."""
    _disable(Kind.PROJECT, name)


def project_enable(name: ProjectName) -> None:
    """Let the claims of a disabled project count again."""
    _enable(Kind.PROJECT, name)


def project_remove(name: ProjectName, yes: Confirmation = "") -> None:
    """Remove a project: its charges move to unassigned with the next run."""
    _remove(Kind.PROJECT, name, yes)


def project_rename(
    name: ProjectName, new_name: Annotated[str, typer.Argument(metavar="NEW_NAME")]
) -> None:
    """Rename a project; the next run builds its charges under the new name."""
    _rename(Kind.PROJECT, name, new_name)
