"""Reasons for which a ledger file cannot be used for a tenant's folder.

Put here: every reason that can be seen in the file and the folder. Keep out: SQLite's own checks
(ledger/condition.py), moving the file away (set_aside.py).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.errors import DamagedFile, RegistryError
from finops_pipeline.lake.layout import TABLES, TenantFolder, place_path
from finops_pipeline.lake.old_layout import is_old_move
from finops_pipeline.lake.shown_folders import is_shown
from finops_pipeline.ledger.condition import find_fault
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import Place, read_stored_files, read_superseded_files
from finops_pipeline.tenants.model import check_name
from finops_pipeline.tenants.months import check_month


def find_ledger_fault(folder: TenantFolder, path: Path) -> str:
    """Return why a file cannot be used as the tenant's ledger; empty if it can.

    Raises:
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    if fault := find_fault(path, folder.identity):
        return fault
    ledger = Ledger(path, folder.identity)
    if ledger.owner() is None and is_shown(folder):
        return "does not say whose it is"
    try:
        _check_names(folder, ledger)
    except (DamagedFile, RegistryError):
        return "names a partition or delivery that cannot exist"
    if not all(is_old_move(folder, staged, final) for _, staged, final in ledger.moves()):
        return "moves files that are not the tenant's own"
    return ""


def _check_names(folder: TenantFolder, ledger: Ledger) -> None:
    """Check every name in a ledger that becomes a part of a path."""
    superseded = (item.file for item in read_superseded_files(ledger))
    for file in (*read_stored_files(ledger).values(), *superseded):
        folder.stored(file)
    for delivery in ledger.delivery_summaries():
        check_name("source", delivery.source)
        check_month(delivery.billing_period)
    for table in TABLES:
        for key, month in ledger.partitions(table):
            place_path(Place(table, key, month), folder.tenant)
