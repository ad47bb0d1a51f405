"""Whose a file is that nothing can compute again: it says so itself, and so may a record beside it.

Put here: writing and checking the owner of a file of statements or business metrics. Keep out: what
is in these files (statement_files.py, metric_values.py), choosing among them (ledger_restore.py).

A file names the tenant and the installation that wrote it. A tenant that was restored from another
installation's backup has records that name this installation instead.
"""

from __future__ import annotations

import json
from pathlib import Path

from finops_pipeline.lake.duck import DuckDBError, open_in_memory, text
from finops_pipeline.lake.layout import (
    BUSINESS_METRICS,
    CLOUDWATCH,
    CLOUDWATCH_COVERAGE,
    INVENTORY,
    INVENTORY_COVERAGE,
    STATEMENTS,
    TenantFolder,
)
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.ownership import Identity
from finops_pipeline.ledger.stored_files import StoredFile

COLLECTED_TABLES = (INVENTORY, INVENTORY_COVERAGE, CLOUDWATCH, CLOUDWATCH_COVERAGE)
"""The tables of what was collected: AWS may not tell it again."""

OWNED_TABLES = (BUSINESS_METRICS, STATEMENTS, *COLLECTED_TABLES)
"""The tables whose files say whose they are."""

_TENANT, _INSTALLATION = "tenant", "installation_id"


def owner_option(identity: Identity) -> str:
    """Return the option of COPY that writes the owner into a Parquet file."""
    tenant, installation = text(identity.tenant), text(identity.installation_id)
    return f"kv_metadata {{{_TENANT}: {tenant}, {_INSTALLATION}: {installation}}}"


def write_owner_record(
    folder: TenantFolder, store: PartitionStore, file: StoredFile, publication: int
) -> None:
    """Write the record beside a file, which is already in the store."""
    content = {
        _TENANT: folder.identity.tenant,
        _INSTALLATION: folder.identity.installation_id,
        "publication": publication,
        "sha256": file.sha256,
    }
    store.put_record(file, json.dumps({**content, "checksum": fingerprint_of(content)}))


def owned_publication(folder: TenantFolder, file: StoredFile) -> int | None:
    """Return the publication that a file's record names; None if the file is not this tenant's.

    A restored backup of this installation has no records (0): the file itself says whose it is.
    """
    path = folder.stored(file)
    owner = _read_owner(path) if path.is_file() else None
    if owner is None or owner.tenant != folder.tenant:
        return None
    record = PartitionStore(folder).read_record(path)
    if not record:
        return 0 if _is_same_installation(folder, owner.installation_id) else None
    try:
        content = json.loads(record)
        is_intact = content.pop("checksum") == fingerprint_of(content)
        is_own = content[_TENANT] == folder.tenant
        is_own &= _is_same_installation(folder, content[_INSTALLATION])
        is_same = is_intact and is_own and content["sha256"] == file.sha256
        return int(content["publication"]) if is_same else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _is_same_installation(folder: TenantFolder, installation_id: str) -> bool:
    return len({folder.identity.installation_id, installation_id} - {""}) <= 1


def _read_owner(path: Path) -> Identity | None:
    """Return the owner that a file names; None if it names none or is no Parquet file."""
    with open_in_memory({}) as connection:
        try:
            rows = connection.execute(
                "select decode(key), decode(value) from parquet_kv_metadata(?)"
                " where decode(key) in (?, ?)",
                [str(path), _TENANT, _INSTALLATION],
            ).fetchall()
        except DuckDBError:
            return None
    named = dict(rows)
    if len(rows) != 2 or len(named) != 2:
        return None
    return Identity(named[_TENANT], named[_INSTALLATION])
