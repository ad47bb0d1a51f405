"""The last good copy of a tenant's ledger, from which a lost or damaged one is restored.

Put here: writing the copy after a commit, and accepting it. Keep out: what an outdated copy lacks
(ledger_restore.py).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from finops_pipeline.errors import SchemaTooNew
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger_faults import find_ledger_fault
from finops_pipeline.lake.own_files import protect_file, require_own
from finops_pipeline.ledger.ledger import Ledger, LedgerError


def keep_copy(folder: TenantFolder, ledger: Ledger) -> None:
    """Write the ledger's copy; if that fails, for example on a full disk, the older copy stays.

    It is not forced to disk: a copy that a power failure damages is not accepted.
    """
    new = folder.new_ledger_copy
    with suppress(OSError, sqlite3.Error, LedgerError):
        require_own(folder, new)
        new.unlink(missing_ok=True)
        ledger.copy_to(new)
        protect_file(folder, new)
        new.replace(folder.ledger_copy)


def restore_copy(folder: TenantFolder) -> bool:
    """Put the copy in the place of a missing ledger; return whether it was accepted.

    It has to be complete, the tenant's own, and of a version that this code knows.
    """
    if not folder.ledger_copy.is_file():
        return False
    require_own(folder, folder.ledger_copy)
    try:
        if find_ledger_fault(folder, folder.ledger_copy):
            return False
    except SchemaTooNew:
        return False
    Ledger(folder.ledger_copy, folder.identity).copy_to(folder.ledger)
    protect_file(folder, folder.ledger)
    files.sync(folder.ledger)
    files.sync(folder.root)
    return True
