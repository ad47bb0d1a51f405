"""Becoming the only process that writes a tenant's folder, whatever state the folder is in.

Put here: moving away what cannot be used, and restoring the ledger, under the writer's lock. Keep
out: recognising it (set_aside.py), rebuilding (application/rebuild.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from finops_pipeline.lake.collection import Retention
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger_restore import LedgerOrigin, restore_ledger
from finops_pipeline.lake.moving_aside import Unusable, move_aside
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.set_aside import (
    find_changed,
    find_links,
    find_older_folders,
    find_unrecorded_statements,
    find_unusable_ledger,
    release_root,
)
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import begin_writing, locked


@dataclass(frozen=True)
class Repair:
    """A folder that can be written again: its writer, what was moved away, the ledger's origin."""

    writer: Writer
    set_aside: tuple[Unusable, ...]
    ledger_origin: LedgerOrigin


@contextmanager
def repairing_writer(
    folder: TenantFolder, wait_seconds: float, retention: Retention
) -> Iterator[Repair]:
    """Lock the tenant for writing, move away what cannot be used, and restore the ledger.

    Raises:
        TenantBusy: another process kept the lock for `wait_seconds`.
        SchemaTooNew: a newer version of finops_pipeline wrote the ledger or the tenant's file.
    """
    moved = [*release_root(folder), *_release_lock(folder)]
    with locked(folder, wait_seconds):
        moved += move_aside(folder, find_links(folder))
        moved += move_aside(folder, find_unusable_ledger(folder))
        origin = LedgerOrigin.INTACT if folder.ledger.exists() else restore_ledger(folder)
        if origin is not LedgerOrigin.INTACT:
            moved += move_aside(folder, find_unrecorded_statements(folder, open_ledger(folder)))
        if origin is LedgerOrigin.FILES:
            moved += move_aside(folder, find_older_folders(folder))
        moved += move_aside(folder, list(find_changed(folder, open_ledger(folder))))
        yield Repair(begin_writing(folder, retention), tuple(moved), origin)


def _release_lock(folder: TenantFolder) -> list[Unusable]:
    """Move away a link in the place of the lock, which would lock another tenant's folder."""
    if not folder.root.is_dir():
        return []
    return move_aside(folder, [u for u in find_links(folder) if u.path == folder.lock])
