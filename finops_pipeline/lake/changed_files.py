"""Published files that were changed or removed after they were written.

Put here: comparing files with the ledger without reading them. Keep out: reading them
(marts/checks, focus/conformance.py), the consequences for a month (reconciliation/verdict.py).
"""

from __future__ import annotations

from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.ledger.ledger import Ledger


def changed_files(folder: TenantFolder, month: str) -> list[str]:
    """List the files of a month's charges that are missing or whose size differs from the ledger's.

    Returns:
        paths relative to the tenant's folder, sorted.
    """
    changed = []
    for (project, period), record in Ledger(folder.ledger).partitions(COSTS, month).items():
        path = folder.partition(COSTS, project, period)
        size = path.stat().st_size if path.exists() else 0
        if record.rows and size != record.size_bytes:
            changed.append(folder.relative(path))
    return sorted(changed)
