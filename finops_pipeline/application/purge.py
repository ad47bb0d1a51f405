"""Deleting the data of a removed tenant or source for good.

Put here: what may be purged, in which order, and what is reported. Keep out: deleting files
(lake/tenant_purge.py), removing declarations (lifecycle_changes.py).

The registry is changed last: a process that is killed before that is finished by purging again, and
until then the name cannot be taken by anybody else.
"""

from __future__ import annotations

from dataclasses import replace

from finops_pipeline import clock
from finops_pipeline.application.ingest import MonthWork, build_anew
from finops_pipeline.application.ingest_requests import forget_requests
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.lifecycle_changes import Kind, Subject, without_source
from finops_pipeline.application.progress import Report, Reporter, silent
from finops_pipeline.application.watch_state import forget_watch
from finops_pipeline.errors import RegistryError, StorageFailure, counted
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS, LANDING, QUARANTINE
from finops_pipeline.lake.tenant_purge import (
    Deleted,
    closing_folder,
    delete_folder,
    delete_superseded,
)
from finops_pipeline.ledger.forgetting import forget_source
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.reconciliation.comparisons import STORED_COMPARISONS
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import Tenant


def purge(installation: Installation, subject: Subject, confirmation: str) -> list[str]:
    """Delete all data of a removed tenant or source, and its declaration.

    Args:
        confirmation: the full name of what is purged.

    Raises:
        Unknown: there is no such tenant or source.
        RegistryError: it is still declared, or the confirmation is not its name.
        TenantBusy: another process is writing the tenant.
        StorageFailure: something could not be deleted, or charges could not be built without it.
    """
    declared = subject.find(installation.registry.tenant(subject.tenant))
    command = f"finops {subject.kind} {{}} {subject.full_name} --yes {subject.full_name}"
    if declared.state is not Lifecycle.REMOVED:
        raise RegistryError(
            f"{subject} is {declared.state}",
            f"a {subject.kind} that was removed",
            f"Remove it first: {command.format('remove')}",
        )
    if confirmation != subject.full_name:
        raise RegistryError(
            f"purging {subject} deletes all of its data, which cannot be undone",
            "its name as confirmation",
            f"Delete it: {command.format('purge')}",
        )
    if subject.kind is Kind.TENANT:
        return _purge_tenant(installation, subject)
    return _purge_source(installation, subject)


def _purge_tenant(installation: Installation, subject: Subject) -> list[str]:
    folder = installation.folder(subject.tenant)
    wait = installation.settings.lock_wait_seconds
    declared = installation.registry.tenant(subject.tenant)
    forget_requests(installation, declared.external_id)
    forget_watch(installation, declared)
    deleted = delete_folder(folder, wait)
    with closing_folder(folder, wait, is_purging=True):
        installation.registry.purge(subject.tenant, clock.now().isoformat())
    return [
        f"- {subject}: {_describe(deleted)} deleted ({folder.root})",
        "These are not deleted: the exports themselves, backups (their folder"
        f" {folder.root.name}), and what Dagster shows of past runs",
    ]


def _describe(deleted: Deleted) -> str:
    return f"{counted(deleted.files, 'file')}, {counted(deleted.size_bytes, 'byte')}"


def _purge_source(installation: Installation, subject: Subject) -> list[str]:
    with installation.writing(subject.tenant) as session:
        rest = without_source(session.tenant, subject)
        writer = session.writer
        months = _months_with_charges(writer.ledger, subject.name)
        landed = sorted({d.billing_period for d in writer.ledger.deliveries(subject.name)})
        with writer.publication() as publication:
            for place in read_stored_files(writer.ledger):
                if place.table_name in (LANDING, QUARANTINE) and place.key == subject.name:
                    publication.drop(place)
            publication.record(forget_source(subject.name, STORED_COMPARISONS))
            publication.commit()
        report = _build_without(session, rest, months)
        if report.failed:
            raise StorageFailure(
                f"the charges of {subject} could not be removed: {report.failed[0].reason}",
                "months that can be built without it",
                f"Run finops rebuild {subject.tenant}, then run this command again",
            )
        deleted = delete_superseded(writer)
        _forget_declaration(installation, subject)
    lines = [f"- {subject}: {counted(len(landed), 'month')}, {_describe(deleted)} deleted"]
    aside = session.writer.folder.set_aside
    if aside.exists():
        lines.append(
            f"What finops rebuild moved to {aside} is not deleted; some may be the source's"
        )
    return [*lines, f"The export itself and backups of tenant {subject.tenant} are not deleted"]


def _months_with_charges(ledger: Ledger, source: str) -> list[str]:
    """List the months that have a partition built from a source."""
    return sorted(
        {
            month
            for table in (COSTS, COST_EXPLORER_DAYS)
            for (_, month), record in ledger.partitions(table).items()
            if source in record.inputs
        }
    )


def _build_without(session: TenantSession, rest: Tenant, months: list[str]) -> Report:
    """Build the months as they are without the source, and the tenant's file from scratch."""
    reporter = Reporter(silent)
    projects = tuple(project.name for project in rest.all_projects)
    work = [MonthWork(month, projects) for month in months]
    build_anew(replace(session, tenant=rest), work, reporter)
    return reporter.report


def _forget_declaration(installation: Installation, subject: Subject) -> None:
    registry = installation.registry
    with registry.locked():
        registry.save(without_source(registry.tenant(subject.tenant), subject))
