"""What is remembered of a tenant between two looks, so that a look without news costs little.

Put here: reading and writing it, and which requests count as made. Keep out: looking at a source
(source_look.py), deciding what is due (tenant_due.py).

A request counts only once the orchestrator has confirmed the round in which it was made: a process
that is killed between deciding and starting a run must not lose it.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel, ValidationError

from finops_pipeline.application.installation import Installation
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.lake.watch_file import WatchFile
from finops_pipeline.tenants.model import Tenant


class Requested(BaseModel):
    """A request: a mark of what it was made for, when, and in which round."""

    mark: str
    at: datetime
    round: int

    def counts(self, mark: str, confirmed: int) -> bool:
        """Return whether the same was requested in a round that has been confirmed."""
        return self.mark == mark and self.round <= confirmed


class SourceWatch(BaseModel):
    """What was seen of one source; times are None before the first look.

    `first_month`: the earliest that it has delivered. `failure`: why the last look failed.
    `unready`: month -> a mark of a delivery that was incomplete at the last look.
    """

    looked_at: datetime | None = None
    closed_at: datetime | None = None
    settled_at: datetime | None = None
    first_month: str = ""
    failure: str = ""
    unready: dict[str, str] = {}
    requested: dict[str, Requested] = {}


class TenantWatch(BaseModel):
    """What was seen of one tenant.

    `examined`: a mark of the ledger and declaration that were last examined, and when.
    `refreshed`: a mark of the declaration that the tenant's file was last brought up to.
    """

    examined: str = ""
    examined_at: datetime | None = None
    refreshed: str = ""
    build: Requested | None = None
    sources: dict[str, SourceWatch] = {}


def read_watch(installation: Installation, tenant: Tenant) -> TenantWatch:
    """Read what is remembered; nothing if it cannot be read, which costs one more look."""
    text = _file(installation, tenant, _SEEN).read()
    try:
        return TenantWatch.model_validate_json(text) if text else TenantWatch()
    except ValidationError:
        return TenantWatch()


def write_watch(installation: Installation, tenant: Tenant, watch: TenantWatch) -> None:
    """Remember this."""
    _file(installation, tenant, _SEEN).write(watch.model_dump_json(exclude_defaults=True))


def read_shown(installation: Installation, tenant: Tenant) -> str:
    """Read the mark of the ledger that an orchestrator shows; empty if it shows none."""
    return _file(installation, tenant, _SHOWN).read()


def write_shown(installation: Installation, tenant: Tenant, mark: str) -> None:
    """Remember that an orchestrator shows the ledger with this mark."""
    _file(installation, tenant, _SHOWN).write(mark)


def forget_watch(installation: Installation, tenant: Tenant) -> None:
    """Forget everything, for a tenant that is purged."""
    for kind in (_SEEN, _SHOWN):
        _file(installation, tenant, kind).delete()


_SEEN, _SHOWN = "seen", "shown"


def _file(installation: Installation, tenant: Tenant, kind: str) -> WatchFile:
    settings = installation.settings
    lake = settings.data_folder / "lake"
    permissions = Permissions(settings.group_readable)
    return WatchFile(lake, f"{uuid.UUID(tenant.external_id)}.{kind}", permissions)
