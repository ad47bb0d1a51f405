"""The life of a file limited to projects in its tenant's folder: made when needed, never trusted.

Put here: generations, damage, several processes, other commands, a full disk. Keep out: what is in
it (test_scoped_files.py).
"""

from __future__ import annotations

import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finops_pipeline.application.scoped_files import require_scoped
from finops_pipeline.errors import DiskFull, ForeignFile
from finops_pipeline.lake.duck import Limits
from finops_pipeline.serve.data_scope import DataScope
from tests.support.globex import finops
from tests.support.marked_projects import (
    OTHER,
    OWN,
    SCOPE,
    Marked,
    charge,
    identities,
    marked,
    pooled,
    scoped_of,
    total,
)

__all__ = ["marked"]


def files_of(made: Marked) -> list[Path]:
    return sorted(made.made.installation.folder("acme").scoped.glob("*.duckdb*"))


def test_it_is_made_once_for_each_generation_and_removed_with_it(
    marked: Marked, tmp_path: Path
) -> None:
    made = marked.copy(tmp_path)
    for tenant in ("acme", "globex"):
        made.deliver(tenant, assembly="copied")
    first = scoped_of(made.made)
    written = first.path.stat()
    assert scoped_of(made.made).path.stat() == written
    assert written.st_mode & 0o777 == 0o600
    both = scoped_of(made.made, DataScope("acme", (OWN, OTHER)))
    assert files_of(made) == sorted([first.path, both.path])
    with pooled(made) as pool, pool.open(SCOPE) as opened:
        made.deliver("acme", "more", (charge(OWN, "10"),))
        assert files_of(made) == []
        assert total(opened) == "4.38"  # of the generation that it has open
        with pool.open(SCOPE) as newer:
            assert total(newer) == "14.38"
    assert len(files_of(made)) == 1


def test_a_file_that_something_else_changed_is_made_again(marked: Marked, tmp_path: Path) -> None:
    made = marked.copy(tmp_path)
    folder = made.made.installation.folder("acme")
    scoped = scoped_of(made.made)
    other = scoped_of(made.made, DataScope("acme", (OTHER,)))
    content = scoped.path.read_bytes()
    with pooled(made) as pool:
        scoped.path.write_bytes(other.path.read_bytes())  # of another project
        assert scoped_of(made.made).path.read_bytes() != other.path.read_bytes()
        scoped.path.write_bytes(content[:-4096])  # damaged
        with pool.open(SCOPE) as opened:
            assert total(opened) == "4.38"
        scoped.path.unlink()
        scoped.path.symlink_to(folder.warehouse)
        with pooled(made) as fresh, pytest.raises(ForeignFile), fresh.open(SCOPE):
            pass
        assert finops("verify", "acme", data=made.made.data)[0] == 1, "a link is a finding"
        scoped.path.unlink()
        with pooled(made) as fresh, fresh.open(SCOPE) as opened:
            assert total(opened) == "4.38"


def test_several_processes_make_it_once(marked: Marked, tmp_path: Path) -> None:
    made = marked.copy(tmp_path)
    code = (
        "from finops_pipeline.application.installation import Installation;"
        "from finops_pipeline.application.scoped_files import require_scoped;"
        "from finops_pipeline.settings import load_settings;"
        "made = Installation(load_settings());"
        "declared = made.registry.projects('acme');"
        f"own = [each.identity for each in declared if each.name == '{OWN}'];"
        f"scoped = require_scoped(made.folder('acme'), own, made.limits);"
        "print(scoped.path.stat().st_ino)"
    )
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda _: made.made.python(code), range(3)))
    assert [process.stderr for process in done] == [""] * 3
    assert len({process.stdout for process in done}) == 1
    assert len(files_of(made)) == 1


def test_verify_backup_restore_and_purge_pay_no_attention_to_it(
    marked: Marked, tmp_path: Path
) -> None:
    made = marked.copy(tmp_path)
    data, backup = made.made.data, tmp_path / "backup"
    scoped = scoped_of(made.made)
    assert finops("verify", "acme", data=data)[0] == 0
    assert finops("backup", "acme", str(backup), data=data)[0] == 0
    assert not list(backup.rglob(scoped.path.name))
    assert finops("restore", str(backup), "acme", "--replace", data=data)[0] == 0
    with pooled(made) as pool, pool.open(SCOPE) as opened:
        assert total(opened) == "4.38"
    for command in ("remove", "purge"):
        assert finops("tenant", command, "acme", "--yes", "acme", data=data)[0] == 0
    assert not made.made.folder("acme").exists()


def test_a_full_disk_is_an_error_and_leaves_nothing(marked: Marked, tmp_path: Path) -> None:
    made = marked.copy(tmp_path)
    folder = made.made.installation.folder("acme")
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(DiskFull, match="no room"):
            require_scoped(folder, identities(made.made.installation), Limits())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert [path.name for path in folder.scoped.iterdir()] in (["."], [".lock"])
    assert scoped_of(made.made).path.exists()
