"""The current files of a tenant's table, for programs that read Parquet themselves.

Put here: choosing and checking the files. Keep out: how they are printed (cli).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Unknown, did_you_mean
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import TABLES
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.stored_files import read_stored_files


@dataclass(frozen=True)
class TableFile:
    """One Parquet file of a table; `key` is a project or, for landing and quarantine, a source."""

    key: str
    billing_period: str
    path: Path
    sha256: str
    size_bytes: int


def list_table_files(installation: Installation, tenant: str, table: str) -> Sequence[TableFile]:
    """List the current files of a table by key and month, after checking their contents.

    Raises:
        Unknown: there is no such tenant or table.
        DamagedFile: a file is missing or was changed, so the list would be wrong.
        ForeignFile: a file is a link.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    if table not in TABLES:
        raise Unknown(
            f"there is no table of files named {table}",
            f"one of {', '.join(TABLES)}",
            did_you_mean(table, TABLES).strip(),
        )
    settle(folder)
    ledger = open_ledger(folder)
    files = [f for f in sorted(read_stored_files(ledger).values()) if f.place.table_name == table]
    FileChecker(folder, ledger).check(files)
    return [
        TableFile(f.place.key, f.place.billing_period, folder.stored(f), f.sha256, f.size_bytes)
        for f in files
    ]
