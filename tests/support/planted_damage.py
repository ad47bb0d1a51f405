"""Damage planted in a tenant's folder: other tenants' files, links, lost and changed files.

Put here: one function per kind of damage. Keep out: what `finops` says about it (test_rebuild.py).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEDGER, COPY = "ledger.sqlite", ".ledger-copy.sqlite"


@dataclass(frozen=True)
class Folders:
    """The folders of both tenants, and a month with charges of project prod."""

    acme: Path
    globex: Path
    month: str

    @property
    def charges(self) -> Path:
        """The stored file of acme's charges of the month."""
        return self._stored("costs/project=prod")

    @property
    def landing(self) -> Path:
        """The stored file of acme's landing of the month."""
        return self._stored("landing/source=payer")

    def _stored(self, partition: str) -> Path:
        (shown,) = (self.acme / partition / f"billing_period={self.month}").iterdir()
        return shown.resolve()


def foreign_ledger(folders: Folders) -> None:
    shutil.copy(folders.globex / LEDGER, folders.acme / LEDGER)


def foreign_ledger_and_copy(folders: Folders) -> None:
    foreign_ledger(folders)
    shutil.copy(folders.globex / LEDGER, folders.acme / COPY)


def linked_ledger(folders: Folders) -> None:
    (folders.acme / LEDGER).unlink()
    (folders.acme / LEDGER).symlink_to(folders.globex / LEDGER)


def truncated_ledger(folders: Folders) -> None:
    os.truncate(folders.acme / LEDGER, 8192)


def empty_ledger(folders: Folders) -> None:
    os.truncate(folders.acme / LEDGER, 0)


def text_for_a_ledger(folders: Folders) -> None:
    (folders.acme / LEDGER).write_text("not a database\n" * 100)


def damaged_page(folders: Folders) -> None:
    with (folders.acme / LEDGER).open("r+b") as file:
        for page in range(1, 20):
            file.seek(page * 4096)
            file.write(b"\xff" * 200)


def ownerless_ledger(folders: Folders) -> None:
    _execute(folders.acme, "delete from owner")


def missing_ledger(folders: Folders) -> None:
    (folders.acme / LEDGER).unlink()


def missing_ledger_and_copy(folders: Folders) -> None:
    (folders.acme / LEDGER).unlink()
    (folders.acme / COPY).unlink()


def damaged_ledger_and_copy(folders: Folders) -> None:
    truncated_ledger(folders)
    os.truncate(folders.acme / COPY, 5000)


def foreign_file(folders: Folders) -> None:
    shutil.copy(folders.globex / "globex.duckdb", folders.acme / "acme.duckdb")


def linked_file(folders: Folders) -> None:
    (folders.acme / "acme.duckdb").unlink()
    (folders.acme / "acme.duckdb").symlink_to(folders.globex / "globex.duckdb")


def damaged_file(folders: Folders) -> None:
    os.truncate(folders.acme / "acme.duckdb", 20_000)


def missing_file(folders: Folders) -> None:
    (folders.acme / "acme.duckdb").unlink()


def wal_beside(folders: Folders) -> None:
    (folders.acme / "acme.duckdb.wal").write_bytes(b"a WAL")


def linked_wal(folders: Folders) -> None:
    (folders.acme / "acme.duckdb.wal").symlink_to(folders.globex / "globex.duckdb")


def removed_charges(folders: Folders) -> None:
    folders.charges.unlink()


def overwritten_charges(folders: Folders) -> None:
    other = next(iter((folders.globex / ".store" / "costs").glob("*/*/*.parquet")))
    shutil.copy(other, folders.charges)


def linked_charges(folders: Folders) -> None:
    other = next(iter((folders.globex / ".store" / "costs").glob("*/*/*.parquet")))
    path = folders.charges
    path.unlink()
    path.symlink_to(other)


def linked_store(folders: Folders) -> None:
    shutil.rmtree(folders.acme / ".store")
    (folders.acme / ".store").symlink_to(folders.globex / ".store")


def linked_lock(folders: Folders) -> None:
    (folders.acme / ".lock").unlink()
    (folders.acme / ".lock").symlink_to(folders.globex / "ledger.sqlite")


def linked_folder(folders: Folders) -> None:
    shutil.rmtree(folders.acme)
    folders.acme.symlink_to(folders.globex.name)


def removed_landing(folders: Folders) -> None:
    folders.landing.unlink()


def swapped_landing(folders: Folders) -> None:
    other = next(iter((folders.globex / ".store" / "landing").glob("*/*/*.parquet")))
    shutil.copy(other, folders.landing)


def planted_current_file(folders: Folders) -> None:
    _execute(
        folders.acme,
        "insert into stored_files select 'costs', '../../../tenant=globex/.store/costs', '2026-09',"
        " sha256, size_bytes from stored_files limit 1",
    )


def planted_superseded_file(folders: Folders) -> None:
    _execute(
        folders.acme,
        "insert into superseded_files select 'costs', '../tenant=globex', '2026-09', sha256,"
        " size_bytes, '2020-01-01T00:00:00+00:00' from stored_files limit 1",
    )


def _execute(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / LEDGER) as db:
        db.execute(sql)
    db.close()


DAMAGE: dict[Callable[[Folders], None], tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *(foreign_ledger, foreign_ledger_and_copy, linked_ledger, truncated_ledger),
            *(empty_ledger, text_for_a_ledger, damaged_page, ownerless_ledger),
            *(missing_ledger, missing_ledger_and_copy, damaged_ledger_and_copy),
            *(foreign_file, linked_file, damaged_file, missing_file, wal_beside, linked_wal),
            *(removed_charges, overwritten_charges, linked_charges, linked_store),
        ),
        ("query", "acme", "select count(*) from costs"),
    ),
    **dict.fromkeys(
        (removed_landing, swapped_landing),
        ("query", "acme", "select count(*) from landing_payer"),
    ),
    planted_current_file: ("files", "acme", "costs"),
    linked_folder: ("query", "acme", "select count(*) from costs"),
    linked_lock: ("ingest", "acme"),
    planted_superseded_file: ("ingest", "acme"),
}
"""Each kind of damage, and a command that notices it."""
