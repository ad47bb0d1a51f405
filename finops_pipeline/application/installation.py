"""An installation: its settings, registry and tenants' folders as one thing.

Put here: opening an installation's data, for reading or as a tenant's only writer. Keep out:
landing (landing.py), the order of stages (ingest.py), what a run reports (progress.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import FileProblem, RegistryError
from finops_pipeline.lake.collection import Retention
from finops_pipeline.lake.duck import Limits, QueryLimits
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.repair import Repair, repairing_writer
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle, tenant_writer
from finops_pipeline.ledger.failed_checks import FAILED_CHECKS, failed_by_month
from finops_pipeline.reconciliation.failed_check_notes import note_failed_checks
from finops_pipeline.reconciliation.states import Status
from finops_pipeline.reconciliation.statuses import Reconciled, reconcile
from finops_pipeline.settings import Settings
from finops_pipeline.sources.hard_links import find_hard_links
from finops_pipeline.tenants.forbidden_places import check_place
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.place_owners import PlaceOwners
from finops_pipeline.tenants.places import is_s3, place_of
from finops_pipeline.tenants.registry import Registry


@dataclass(frozen=True)
class TenantSession:
    """One tenant while this process is the only one that may change it.

    `tenant` is its declaration after the wait for the lock, which may have taken minutes.
    """

    installation: Installation
    writer: Writer
    tenant: Tenant

    @property
    def limits(self) -> Limits:
        """The memory and threads that one piece of work may use."""
        return self.installation.limits


class Installation:
    """Settings, registry and tenants' folders of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = Limits(settings.memory_limit, settings.threads)
        self.query_limits = QueryLimits(
            seconds=settings.query_seconds,
            processor_seconds=settings.query_cpu_seconds,
            memory=settings.query_memory,
            threads=settings.threads,
            answer_rows=settings.query_rows,
            answer_bytes=settings.query_bytes,
            is_landlock_required=settings.require_landlock,
        )

    def with_short_waits(self, seconds: float) -> Installation:
        """Return the same installation for a doorway whose callers wait.

        They wait shortly for locks, and for a calculation as long as for a query.
        """
        wait = min(seconds, self.settings.lock_wait_seconds)
        hurried = Installation(self.settings.model_copy(update={"lock_wait_seconds": wait}))
        hurried.limits = replace(self.limits, seconds=self.settings.query_seconds)
        if hurried.registry.file is not None:
            hurried.registry.file.wait_seconds = wait
        return hurried

    @cached_property
    def registry(self) -> Registry:
        """The registry; every use reads its present state."""
        settings = self.settings
        permissions = Permissions(settings.group_readable)
        return Registry(settings.registry, settings.data_folder, permissions)

    def folder(self, tenant: str) -> TenantFolder:
        """Return the folder for a tenant name, which need not be registered."""
        return self.folders([tenant])[tenant]

    def folders(self, tenants: Iterable[str]) -> dict[str, TenantFolder]:
        """Return the folders for many tenant names; the registry is asked once."""
        data, is_shared = self.settings.data_folder, self.settings.group_readable
        own = self.registry.installation_id()
        return {tenant: TenantFolder(data, tenant, own, is_shared) for tenant in tenants}

    @property
    def _retention(self) -> Retention:
        grace = timedelta(hours=self.settings.reader_grace_hours)
        return Retention(grace, self.settings.superseded_limit_bytes)

    @contextmanager
    def repairing(self, name: str) -> Iterator[tuple[TenantSession, Repair]]:
        """Become the only writer of a tenant whose folder may hold anything.

        Raises:
            TenantBusy: another process held the lock for too long.
            SchemaTooNew: a newer version of finops_pipeline wrote the folder.
            Unknown: there is no such tenant (any more).
        """
        self.registry.ensure_installation_id()
        wait = self.settings.lock_wait_seconds
        with repairing_writer(self.folder(name), wait, self._retention) as repair:
            yield TenantSession(self, repair.writer, self.registry.tenant(name)), repair

    @contextmanager
    def writing(self, name: str) -> Iterator[TenantSession]:
        """Become the only writer of a tenant, then read its declaration.

        Raises:
            TenantBusy: another process held the lock for too long.
            Unknown: there is no such tenant (any more).
        """
        self.registry.ensure_installation_id()
        wait = self.settings.lock_wait_seconds
        with tenant_writer(self.folder(name), wait, self._retention) as writer:
            yield TenantSession(self, writer, self.registry.tenant(name))

    def check_location(self, tenant: Tenant, source: Source) -> None:
        """Check that a source's location is not in another tenant's exports or in the lake now.

        Raises:
            RegistryError: it is (for example through a link made since it was declared), or it has
                a hard link to another tenant's export.
        """
        tenants = self.registry.tenants()
        PlaceOwners(tenants).check_own(tenant.name, source)
        check_place(f"{tenant.name}/{source.name}", source, self.settings.data_folder)
        own = local_folders([source])
        for path in find_hard_links(own, _folders_of_others(tenants, tenant.name)):
            if not self._has_landed(tenant.name, path):
                raise RegistryError(
                    f"source {tenant.name}/{source.name}: {path} is a hard link to a file that"
                    " belongs to another tenant",
                    "files of its own",
                    "Delete the link, and put a copy in its place if the bill is this tenant's",
                )

    def _has_landed(self, tenant: str, path: Path) -> bool:
        """Return whether the tenant has landed this file before; then the file is its own."""
        sha256 = fingerprint(path)
        deliveries = open_ledger(self.folder(tenant)).deliveries()
        return any(file.sha256 == sha256 for delivery in deliveries for file in delivery.files)

    def check_files(self, tenant: str, paths: list[Path]) -> None:
        """Check that files given by hand lie in no other tenant's exports, nor in the lake.

        Raises:
            FileProblem: a file does, perhaps through a symbolic or hard link; the message does
                not name its owner.
        """
        closed_places = [place_of(str(self.settings.data_folder / "lake"))]
        tenants = self.registry.tenants()
        linked = find_hard_links(paths, _folders_of_others(tenants, tenant))
        for other in tenants:
            if other.name != tenant:
                closed_places += [place_of(s.location) for s in other.sources if s.location]
        for path in paths:
            file_place = place_of(str(path))
            is_closed = any(file_place.overlaps(place) for place in closed_places)
            if is_closed or path in linked:
                raise FileProblem(
                    f"{path} lies in a folder that is not tenant {tenant}'s own",
                    "files that only this tenant reads, outside the lake",
                    "If it is this tenant's bill, copy it to a folder of its own first",
                )

    def status(self, tenant: str) -> list[Status]:
        """Return the state of every source and month of a tenant.

        Raises:
            Unknown: there is no such tenant.
        """
        return list(self.reconciled(tenant).statuses)

    def reconciled(self, tenant: str) -> Reconciled:
        """Return the states and comparisons of every month of a tenant, from the ledger alone.

        Raises:
            Unknown: there is no such tenant.
        """
        declared = self.registry.tenant(tenant)
        folder = self.folder(tenant)
        settle(folder)
        ledger = open_ledger(folder)
        reconciled = reconcile(declared, ledger)
        failed = failed_by_month(ledger.partitions(FAILED_CHECKS))
        return replace(reconciled, statuses=note_failed_checks(reconciled.statuses, failed))


def local_folders(sources: Iterable[Source]) -> list[Path]:
    """List the folders of this machine that sources of bills read."""
    locations = [source.location for source in sources if source.is_bill and source.location]
    return [Path(at.removeprefix("file://")) for at in locations if not is_s3(at)]


def _folders_of_others(tenants: Iterable[Tenant], tenant: str) -> list[Path]:
    return [f for other in tenants if other.name != tenant for f in local_folders(other.sources)]
