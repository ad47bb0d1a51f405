"""Are the published files still those that were written?

Put here: what can be told without reading them. Keep out: reading them (marts/checks, focus/
conformance.py), what follows for a month (reconciliation/verdict.py).
"""

from __future__ import annotations

from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.ledger.ledger import Ledger


def changed_files(folder: TenantFolder, month: str) -> list[str]:
    """Files of a month's charges that are gone or have another size than the ledger says.

    Returns:
        their paths relative to the tenant's folder, in order.
    """
    found = []
    for (project, period), record in Ledger(folder.ledger).partitions(COSTS, month).items():
        path = folder.partition(COSTS, project, period)
        size = path.stat().st_size if path.exists() else 0
        if record.rows and size != record.size_bytes:
            found.append(folder.relative(path))
    return sorted(found)
