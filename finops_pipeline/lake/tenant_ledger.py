"""Opening the ledger of a tenant's folder.

Put here: the only way to open it, which checks that it is the tenant's own. Keep out: its contents
(ledger).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from finops_pipeline.errors import DamagedFile, ForeignFile, SchemaTooNew
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.ledger.ledger import Ledger, LedgerError
from finops_pipeline.ledger.ownership import Owner


def open_ledger(folder: TenantFolder) -> Ledger:
    """Open the tenant's ledger; every use of it checks its owner.

    Raises:
        ForeignFile: it is a link, or lies behind one.
    """
    require_own(folder, folder.ledger)
    return Ledger(folder.ledger, folder.identity)


def require_owner(folder: TenantFolder, ledger: Ledger) -> Owner:
    """Return the owner of a ledger that has been prepared (upgrade.py).

    Raises:
        DamagedFile: another program removed the owner.
    """
    owner = ledger.owner()
    if owner is None:
        raise DamagedFile(
            f"{folder.ledger} does not say whose it is",
            f"the ledger of tenant {folder.tenant}",
            f"Rebuild it: finops rebuild {folder.tenant}",
        )
    return owner


def read_installation_ids(data: Path) -> set[str]:
    """Read the ids of the installations that wrote the tenants' ledgers; skip unreadable ones."""
    ids = set()
    for path in sorted(data.glob("lake/tenant=*/ledger.sqlite")):
        with suppress(LedgerError, SchemaTooNew, ForeignFile):
            require_own(TenantFolder(data, path.parent.name.removeprefix("tenant=")), path)
            owner = Ledger(path).owner()
            ids.add(owner.installation_id if owner else "")
    return ids - {""}


def ledger_mark(folder: TenantFolder) -> str:
    """Return a mark that changes whenever the ledger is written; empty if there is none."""
    marks = []
    for path in (folder.ledger, folder.ledger.with_name(f"{folder.ledger.name}-wal")):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        marks.append(f"{state.st_ino}/{state.st_size}/{state.st_mtime_ns}")
    return " ".join(marks)
