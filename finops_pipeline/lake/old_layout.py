"""The layout of a tenant's folder before files were named by their content.

Put here: the names of files, and the moves that a ledger from that time lists. Keep out: bringing a
folder into the present layout (upgrade.py).
"""

from __future__ import annotations

import re

from finops_pipeline.lake.layout import TenantFolder, key_of

OLD_NAMES = {
    "landing": "delivery.parquet",
    "costs": "charges.parquet",
    "quarantine": "rows.parquet",
    "cost_explorer_daily": "daily.parquet",
    "statements": "statement.parquet",
}


def is_old_move(folder: TenantFolder, staged: str | None, final: str) -> bool:
    """Return whether a move has the form in which an older version wrote it.

    Any other could move, overwrite or delete a file outside the tenant's folder.
    """
    partitions = (
        rf"{table}/{key_of(table)}=[a-z0-9-]+/billing_period=[0-9-]+/{name}"
        for table, name in OLD_NAMES.items()
    )
    known = "|".join([re.escape(folder.warehouse.name), *partitions])
    if not re.fullmatch(known, final):
        return False
    return staged is None or bool(
        re.fullmatch(rf"\.staging/[0-9a-f]+/publish/{re.escape(final)}", staged)
    )
