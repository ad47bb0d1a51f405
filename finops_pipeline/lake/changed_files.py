"""Published files that were changed or removed after they were written.

Put here: comparing files with the ledger by their marks and checksums. Keep out: reading them
(marts/checks, focus/conformance.py), the consequences for a month (reconciliation/verdict.py).
"""

from __future__ import annotations

from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import COSTS, TenantFolder, file_name, place_path
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import Place, read_stored_files


def changed_files(folder: TenantFolder, month: str) -> list[str]:
    """List the files of a month's charges that are missing or were changed.

    Returns:
        paths relative to the tenant's folder, sorted.
    """
    ledger = open_ledger(folder)
    stored, checker = read_stored_files(ledger), FileChecker(folder, ledger)
    changed = []
    for (project, period), record in ledger.partitions(COSTS, month).items():
        file = stored.get(Place(COSTS, project, period))
        if record.rows and (file is None or not checker.is_published(file)):
            place = Place(COSTS, project, period)
            changed.append(str(place_path(place) / (file_name(file) if file else "")))
    return sorted(changed)
