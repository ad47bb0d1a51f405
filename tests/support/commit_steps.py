"""Every step of a publication at which a process can end: before it, or inside a transaction.

Put here: counting the steps and ending at one of them. Keep out: what must hold afterwards
(test_kill.py, test_one_pass.py).

The steps: a file is put in the store or renamed, the ledger is written, the folders show another
tree of links, an older tree is removed, a superseded file is collected.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from finops_pipeline.lake import files
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ledger import Ledger, Write


def end_at(patch: pytest.MonkeyPatch, step: int, end: Callable[[], None]) -> Callable[[], int]:
    """Call `end` at the step of this number; return a function that counts the steps so far.

    `end` raises an error or ends the process.
    """
    replace, write = Path.replace, Ledger.write
    delete, clear_folder = PartitionStore.delete, files.clear_folder
    steps = 0

    def is_due() -> bool:
        nonlocal steps
        steps += 1
        return steps == step

    def replacing(self: Path, target: Path) -> Path:
        if is_due():
            end()
        return replace(self, target)

    def writing(self: Ledger, *writes: Write) -> None:
        # Inside the transaction: half of it is written, nothing is committed.
        if is_due():
            writes = (*writes[: len(writes) // 2], lambda _: end())
        write(self, *writes)

    def deleting(self: PartitionStore, path: Path) -> None:
        if is_due():
            end()
        delete(self, path)

    def clearing(path: Path) -> None:
        if is_due():
            end()
        clear_folder(path)

    patch.setattr(Path, "replace", replacing)
    patch.setattr(Ledger, "write", writing)
    patch.setattr(PartitionStore, "delete", deleting)
    patch.setattr(files, "clear_folder", clearing)
    return lambda: steps
