"""Disabling, enabling, removing and renaming tenants, sources and projects.

Put here: what each of them changes in the registry, and what has to be confirmed. Keep out:
deleting data (purge.py), declaring (tenants/declare.py), commands (cli/lifecycle_commands.py).

Nothing here deletes data. Names of folders and owners of ledgers never change: a tenant gets
another display name, and a source another name only while nothing has landed from it
(docs/decisions/0060).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline import clock
from finops_pipeline.application.business_metrics import rename_in_values
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.published_names import refuse_published_name
from finops_pipeline.errors import RegistryError, counted
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.tenant_purge import closing_folder
from finops_pipeline.lake.tenant_restore import is_taken
from finops_pipeline.ledger.forgetting import forget_source, rename_project
from finops_pipeline.reconciliation.comparisons import STORED_COMPARISONS
from finops_pipeline.tenants import project_references
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Project, Source, Tenant, check_name
from finops_pipeline.tenants.project_identity import renamed_part


class Kind(StrEnum):
    """A kind of thing that has a name and can be disabled."""

    TENANT = "tenant"
    SOURCE = "source"
    PROJECT = "project"


@dataclass(frozen=True)
class Subject:
    """A tenant, or a source or project of it; `name` is empty for a tenant."""

    kind: Kind
    tenant: str
    name: str = ""

    @property
    def full_name(self) -> str:
        """The name as users write it: `acme`, `acme/payer`."""
        return f"{self.tenant}/{self.name}" if self.name else self.tenant

    def __str__(self) -> str:
        return f"{self.kind} {self.full_name}"

    def find(self, tenant: Tenant) -> Tenant | Source | Project:
        """Return the declaration.

        Raises:
            Unknown: the tenant has no such source or project.
        """
        match self.kind:
            case Kind.TENANT:
                return tenant
            case Kind.SOURCE:
                return tenant.source(self.name)
            case Kind.PROJECT:
                return tenant.project(self.name)


def disable(installation: Installation, subject: Subject) -> str:
    """Stop ingesting a tenant or source, or counting the claims of a project; nothing is deleted.

    Raises:
        Unknown: there is no such thing.
        RegistryError: it was removed, is the built-in project, or receives a shared cost.
    """
    return _set_state(installation, subject, Lifecycle.DISABLED)


def enable(installation: Installation, subject: Subject) -> str:
    """Undo `disable` or `remove`.

    Raises:
        Unknown: there is no such thing.
    """
    return _set_state(installation, subject, Lifecycle.ACTIVE)


def _set_state(installation: Installation, subject: Subject, state: Lifecycle) -> str:
    registry = installation.registry
    with registry.locked():
        tenant = registry.tenant(subject.tenant)
        declared = subject.find(tenant)
        _refuse_built_in(subject)
        if declared.state is state:
            return f"{subject} is already {state}"
        if state is Lifecycle.DISABLED and declared.state is Lifecycle.REMOVED:
            raise RegistryError(
                f"{subject} was removed",
                f"a {subject.kind} that is declared",
                f"Declare it again first: finops {subject.kind} enable {subject.full_name}",
            )
        if subject.kind is Kind.PROJECT and state is Lifecycle.DISABLED:
            project_references.check_can_be_disabled(tenant, subject.name)
        registry.save(with_part(tenant, subject, declared.model_copy(update={"state": state})))
    return f"~ {subject}: {declared.state} -> {state}. {_effect(subject, state)}"


def _effect(subject: Subject, state: Lifecycle) -> str:
    if subject.kind is Kind.PROJECT:
        where = UNASSIGNED if state is Lifecycle.DISABLED else subject.name
        return f"Move its charges to {where}: finops ingest {subject.tenant}"
    if state is Lifecycle.ACTIVE:
        return f"Bring it up to date: finops ingest {subject.tenant}"
    return f"It is not ingested. Undo this: finops {subject.kind} enable {subject.full_name}"


def _refuse_built_in(subject: Subject) -> None:
    if subject.kind is Kind.PROJECT and subject.name == UNASSIGNED:
        raise RegistryError(
            f"project {subject.full_name} is built in",
            "a project that was declared",
            f"List the projects: finops project list {subject.tenant}",
        )


def with_part(tenant: Tenant, subject: Subject, part: Tenant | Source | Project | None) -> Tenant:
    """Return a tenant with one part replaced, or without it."""
    if isinstance(part, Tenant):
        return part
    field = f"{subject.kind}s"
    parts: list[Source | Project] = [p for p in getattr(tenant, field) if p.name != subject.name]
    parts += [part] if part is not None else []
    fields = {name: getattr(tenant, name) for name in Tenant.model_fields}
    fields[field] = tuple(sorted(parts, key=lambda p: p.name))
    return Tenant.model_validate(fields)


def remove(installation: Installation, subject: Subject, confirmation: str = "") -> list[str]:
    """Remove a declaration; its data stays until it is purged.

    Args:
        confirmation: the full name, if anything depends on what is removed.

    Raises:
        Unknown: there is no such thing.
        RegistryError: the confirmation is missing (the message lists what depends on the subject),
            shared costs or required tags name the project, a project reads no other source, or
            data of the source has landed meanwhile.
        TenantBusy: another process is writing to the tenant's folder.
        StorageFailure: data of the tenant has landed meanwhile.
    """
    tenant = installation.registry.tenant(subject.tenant)
    declared = subject.find(tenant)
    _refuse_built_in(subject)
    if subject.kind is Kind.PROJECT:
        project_references.check_not_named(tenant, subject.name)
    if declared.state is Lifecycle.REMOVED:
        raise RegistryError(
            f"{subject} has already been removed",
            f"a {subject.kind} that is declared",
            f"Delete its data: finops {subject.kind} purge {subject.full_name}"
            f" --yes {subject.full_name}",
        )
    has_data, dependents = _dependents(installation, tenant, subject)
    if dependents and confirmation != subject.full_name:
        raise RegistryError(
            f"{subject} is in use: {'; '.join(dependents)}",
            "its name as confirmation",
            f"Remove it: finops {subject.kind} remove {subject.full_name} --yes"
            f" {subject.full_name}",
        )
    match subject.kind:
        case Kind.PROJECT:
            return _remove_project(installation, subject)
        case Kind.SOURCE if not has_data:
            return _remove_source(installation, subject)
        case Kind.TENANT if not has_data:
            folder, wait = installation.folder(tenant.name), installation.settings.lock_wait_seconds
            with closing_folder(folder, wait):
                installation.registry.purge(tenant.name, clock.now().isoformat())
            return [f"- {subject}, which had no data"]
    registry = installation.registry
    with registry.locked():
        tenant = registry.tenant(subject.tenant)
        removed = subject.find(tenant).model_copy(update={"state": Lifecycle.REMOVED})
        registry.save(with_part(tenant, subject, removed))
    return [
        f"- {subject}",
        "Its data can still be queried, but is no longer refreshed. Delete it: finops"
        f" {subject.kind} purge {subject.full_name} --yes {subject.full_name}",
    ]


def _dependents(
    installation: Installation, tenant: Tenant, subject: Subject
) -> tuple[bool, Sequence[str]]:
    """Return whether the subject has data, and what depends on it."""
    ledger = open_ledger(installation.folder(tenant.name))
    match subject.kind:
        case Kind.TENANT:
            folder = installation.folder(tenant.name)
            # Files that an interrupted purge or restore left behind are data, too.
            has_data = is_taken(folder) or folder.purging.exists() or folder.restoring.exists()
            months = sorted({d.billing_period for d in ledger.deliveries()}) if has_data else []
            return has_data, [_describe_months(months)] if has_data else []
        case Kind.SOURCE:
            months = sorted({d.billing_period for d in ledger.deliveries(subject.name)})
            readers = [p.name for p in tenant.projects if subject.name in p.sources]
            lines = [_describe_months(months)] if months else []
            lines += [f"project {tenant.name}/{name} names it" for name in readers]
            return bool(months), lines
        case Kind.PROJECT:
            records = ledger.partitions(COSTS).items()
            months = sorted(month for (key, month), r in records if key == subject.name and r.rows)
            move = f"its charges for {counted(len(months), 'month')} move to {UNASSIGNED}"
            return bool(months), [move] if months else []


def _describe_months(months: Sequence[str]) -> str:
    if not months:
        return "it has a folder with data"
    return f"it has data for {counted(len(months), 'month')} ({months[0]} to {months[-1]})"


def _remove_project(installation: Installation, subject: Subject) -> list[str]:
    registry = installation.registry
    with registry.locked():
        tenant = registry.tenant(subject.tenant)
        project_references.check_not_named(tenant, subject.name)
        registry.save(with_part(tenant, subject, None))
    return [
        f"- {subject}",
        f"Move its charges to {UNASSIGNED}: finops ingest {subject.tenant}",
    ]


def _remove_source(installation: Installation, subject: Subject) -> list[str]:
    """Remove a source from which nothing has landed, and the refusals recorded for it."""
    folder, registry = installation.folder(subject.tenant), installation.registry
    if not folder.ledger.exists():
        with closing_folder(folder, installation.settings.lock_wait_seconds), registry.locked():
            registry.save(without_source(registry.tenant(subject.tenant), subject))
        return [f"- {subject}, from which nothing had landed"]
    with installation.writing(subject.tenant) as session, registry.locked():
        rest = without_source(registry.tenant(subject.tenant), subject)
        if session.writer.ledger.deliveries(subject.name):  # landed by another run meanwhile
            raise RegistryError(
                f"data of {subject} has just landed",
                "a source from which nothing has landed",
                f"Remove it: finops source remove {subject.full_name} --yes {subject.full_name}",
            )
        session.writer.ledger.write(forget_source(subject.name, STORED_COMPARISONS))
        registry.save(rest)
    return [f"- {subject}, from which nothing had landed"]


def without_source(tenant: Tenant, subject: Subject) -> Tenant:
    """Return a tenant without a source, which its projects no longer name either.

    Raises:
        RegistryError: a project names no other source, and would read all of them.
    """
    projects = []
    for project in tenant.projects:
        names = tuple(name for name in project.sources if name != subject.name)
        if project.sources and not names:
            raise RegistryError(
                f"project {tenant.name}/{project.name} reads no source but {subject.full_name}",
                "no project that would be left without a source",
                f"Remove the project first: finops project remove {tenant.name}/{project.name}"
                f" --yes {tenant.name}/{project.name}; or give it another source",
            )
        projects.append(project.model_copy(update={"sources": names}))
    return with_part(tenant.model_copy(update={"projects": tuple(projects)}), subject, None)


def rename(installation: Installation, subject: Subject, new_name: str) -> list[str]:
    """Rename a project or a source from which nothing has landed, or change a display name.

    Raises:
        Unknown: there is no such thing.
        RegistryError: the new name is taken or not valid, data of the source has landed, or an
            earlier project of the new name has metrics of the same days.
    """
    if subject.kind is Kind.TENANT:
        return _rename_tenant(installation, subject, new_name)
    check_name(subject.kind, new_name)
    _refuse_built_in(subject)
    subject.find(installation.registry.tenant(subject.tenant))
    with installation.writing(subject.tenant) as session:
        declared = subject.find(session.tenant)
        assert not isinstance(declared, Tenant), "the name of a tenant never changes"
        parts: Sequence[Source | Project] = getattr(session.tenant, f"{subject.kind}s")
        if new_name in {UNASSIGNED, *(part.name for part in parts)}:
            raise RegistryError(
                f"{subject.kind} {subject.tenant}/{new_name} already exists", "a name that is free"
            )
        ledger = session.writer.ledger
        if subject.kind is Kind.PROJECT:
            refuse_published_name(subject.tenant, new_name, ledger)
            # Before the registry: if this process is killed in between, renaming again continues.
            rename_in_values(session, subject.name, new_name)
            ledger.write(rename_project(subject.name, new_name))
        else:
            _refuse_landed(subject, [d.billing_period for d in ledger.deliveries(subject.name)])
            ledger.write(forget_source(subject.name, STORED_COMPARISONS))
        renamed = renamed_part(declared, new_name)
        registry = installation.registry
        with registry.locked():
            tenant = registry.tenant(subject.tenant)
            registry.save(_with_name(tenant, subject, renamed))
    line = f"~ {subject}: renamed to {subject.tenant}/{new_name}. Rename it in your files too"
    hint = f"Rebuild its charges under the new name: finops ingest {subject.tenant}"
    return [line, hint] if subject.kind is Kind.PROJECT else [line]


def _with_name(tenant: Tenant, subject: Subject, renamed: Tenant | Source | Project) -> Tenant:
    """Return a tenant with the new name of a part, wherever projects name it."""
    old, new = subject.name, renamed.name
    if isinstance(renamed, Source):
        tenant = project_references.rename_source_references(tenant, old, new)
    elif isinstance(renamed, Project):
        tenant = project_references.rename_project_references(tenant, old, new)
    return with_part(tenant, subject, renamed)


def _refuse_landed(subject: Subject, months: Sequence[str]) -> None:
    if months:
        raise RegistryError(
            f"{subject} has data for {counted(len(months), 'month')} under this name",
            "a source from which nothing has landed",
            "Declare a source with the new name and the same location, and remove this one: finops"
            f" source remove {subject.full_name} --yes {subject.full_name}",
        )


def _rename_tenant(installation: Installation, subject: Subject, new_name: str) -> list[str]:
    registry = installation.registry
    with registry.locked():
        tenant = registry.tenant(subject.tenant)
        registry.save(tenant.model_copy(update={"display_name": new_name}))
    return [
        f"~ {subject}: display_name {tenant.display_name!r} -> {new_name!r}. Its name stays"
        f" {subject.tenant}: its folder, its files and its roles' external id belong to it"
    ]
