"""An installation: its settings, registry and tenants' folders as one thing.

Put here: opening what one installation has. Keep out: landing (landing.py), the order of stages
(ingest.py), what a run reports (progress.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finops_pipeline.errors import FileProblem, RegistryError
from finops_pipeline.lake.duck import Limits
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Writer, settle, tenant_writer
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.reconciliation.states import Status
from finops_pipeline.reconciliation.statuses import Reconciled, reconcile
from finops_pipeline.settings import Settings
from finops_pipeline.sources.location import Location
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import place_of
from finops_pipeline.tenants.registry import Registry, check_own


class Installation:
    """An installation: its settings, registry and tenants' folders."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = Limits(settings.memory_limit, settings.threads)

    @property
    def registry(self) -> Registry:
        """The registry; made on first use."""
        return Registry(self.settings.registry)

    def folder(self, tenant: str) -> TenantFolder:
        """The folder of a tenant's name (which need not be registered)."""
        return TenantFolder(self.settings.data_folder, tenant)

    @contextmanager
    def writer(self, tenant: str) -> Iterator[Writer]:
        """Become the one writer of a tenant's folder.

        Raises:
            TenantBusy: another process kept it too long.
        """
        with tenant_writer(self.folder(tenant), self.settings.lock_wait_seconds) as writer:
            yield writer

    def check_location(self, tenant: Tenant, source: Source) -> None:
        """See that a source's location leads, now, to no other tenant's exports nor to the lake.

        Raises:
            RegistryError: it does (a link that was laid since it was declared, say).
        """
        check_own(tenant.name, source, self.registry.tenants())
        lake = place_of(str(self.settings.data_folder / "lake"))
        if source.location and place_of(source.location).overlaps(lake):
            raise RegistryError(
                f"source {tenant.name}/{source.name}: {source.location} leads to a folder that"
                " is not its own",
                "a folder that only this tenant reads, outside the lake",
                "Correct the location",
            )

    def check_files(self, tenant: str, paths: list[Path]) -> None:
        """See that files brought by hand lie in no other tenant's exports, nor in the lake.

        Raises:
            FileProblem: one does, perhaps by way of a link; the message does not say whose.
        """
        shut = [place_of(str(self.settings.data_folder / "lake"))]
        for other in self.registry.tenants():
            if other.name != tenant:
                shut += [place_of(s.location) for s in other.sources if s.location]
        for path in paths:
            mine = place_of(str(path))
            if any(mine.overlaps(place) for place in shut):
                raise FileProblem(
                    f"{path} lies in a folder that is not tenant {tenant}'s own",
                    "files that only this tenant reads, outside the lake",
                    "If it is this tenant's bill, copy it to a folder of its own first",
                )

    def location(self, tenant: Tenant, source: Source) -> Location:
        """The door to a source's location, which leads to nobody else's exports.

        Raises:
            RegistryError: there is none, it leads elsewhere, or it cannot be opened.
        """
        self.check_location(tenant, source)
        return open_location(tenant, source)

    def status(self, tenant: str) -> list[Status]:
        """The state of every source and month of a tenant.

        Raises:
            Unknown: there is no such tenant.
        """
        return list(self.reconciled(tenant).statuses)

    def reconciled(self, tenant: str) -> Reconciled:
        """That state, and what every month was compared with; from the ledger alone.

        Raises:
            Unknown: there is no such tenant.
        """
        known = self.registry.tenant(tenant)
        folder = self.folder(tenant)
        settle(folder)
        return reconcile(known, Ledger(folder.ledger))
