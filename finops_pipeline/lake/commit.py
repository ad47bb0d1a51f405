"""The steps after a commit: the tenant's file is put in place, the folders show the new links.

Put here: both steps, which can be repeated at any time. Keep out: the commit itself (publish.py).

Only numbers, checksums and names of partitions are read from the ledger; paths are computed.
"""

from __future__ import annotations

from finops_pipeline.errors import DamagedFile, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.file_marks import mark_of
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger_copy import keep_copy
from finops_pipeline.lake.moving_aside import Unusable, move_aside
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.lake.scoped_folder import remove_scoped
from finops_pipeline.lake.shown_folders import show_files, shown_publication
from finops_pipeline.lake.tenant_ledger import require_owner
from finops_pipeline.ledger.generations import Generation, read_generations
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import FileMark, read_stored_files, record_marks


def finish_commit(folder: TenantFolder, ledger: Ledger) -> None:
    """Carry out what follows from the last commit. The caller must hold the lock.

    Raises:
        DamagedFile: the staged file of the committed generation was changed.
    """
    owner = require_owner(folder, ledger)
    newest = read_generations(ledger)[:1]
    for generation in newest:
        _publish_generation(folder, ledger, generation)
    if shown_publication(folder) != owner.commits:
        keep_copy(folder, ledger)
        show_files(folder, owner.commits, read_stored_files(ledger).values())


def _publish_generation(folder: TenantFolder, ledger: Ledger, generation: Generation) -> None:
    staged = folder.staged_generation(generation.generation)
    if not staged.exists():
        return
    require_own(folder, staged)
    if files.fingerprint(staged) != generation.sha256:
        raise DamagedFile(
            f"{staged} is not the file that was staged for publication",
            f"the {counted(generation.size_bytes, 'byte')} that finops wrote",
            f"Build it again: finops rebuild {folder.tenant}",
        )
    # Older versions of DuckDB would replay another program's WAL into the new file.
    wal = folder.warehouse.with_name(folder.warehouse.name + ".wal")
    move_aside(folder, [Unusable(wal, "is a WAL, which finops never writes")])
    staged.replace(folder.warehouse)
    files.sync(folder.root)
    name = folder.relative(folder.warehouse)
    mark = FileMark(name, generation.sha256, mark_of(folder.warehouse))
    ledger.write(record_marks([mark]))
    remove_scoped(folder, ledger)


def is_unfinished(folder: TenantFolder, ledger: Ledger) -> bool:
    """Return whether a step of the last commit remains to be carried out."""
    owner = ledger.owner()
    newest = read_generations(ledger)[:1]
    return any(folder.staged_generation(g.generation).exists() for g in newest) or (
        owner is not None and shown_publication(folder) != owner.commits
    )
