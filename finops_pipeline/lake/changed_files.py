"""Published files that were changed or removed after they were written.

Put here: comparing files with the ledger by their marks and checksums. Keep out: reading them
(marts/checks, focus/conformance.py), the consequences for a month (reconciliation/verdict.py).
"""

from __future__ import annotations

from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import COSTS, TenantFolder, file_name, place_path
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import Place, read_stored_files


def has_file(writer: Writer, place: Place) -> bool:
    """Return whether the published file of a partition is on disk."""
    file = read_stored_files(writer.ledger).get(place)
    return file is not None and writer.folder.stored(file).exists()


def lost_files(writer: Writer) -> list[Place]:
    """List the partitions of all tables whose published file is not on disk."""
    stored = read_stored_files(writer.ledger).values()
    return sorted(f.place for f in stored if not writer.folder.stored(f).is_file())


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
            path = place_path(Place(COSTS, project, period), folder.tenant)
            changed.append(str(path / (file_name(file, folder.tenant) if file else "")))
    return sorted(changed)
