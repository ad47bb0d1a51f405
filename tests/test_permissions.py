"""Everything that finops creates is private, whatever the umask; a setting opens it to a group.

Put here: walks over a whole data folder. Keep out: backups (test_backup.py).
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_pipeline.lake.exported_file import exporting
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.tiers import some_every_day

DECLARED = """
tenants:
- name: {name}
  sources: [{{name: payer, format: legacy-cur, location: {name}/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of this process and of the commands that it starts."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _use(made: TemporaryInstallation, exports: Path) -> None:
    """Declare, ingest and query two tenants: one in new processes, the other in this one."""
    for tenant in ("initech", "hooli"):
        bad = row("not an amount")
        deliver(exports / tenant / "cur", [row("1.5"), bad])
        (exports / f"{tenant}.yaml").write_text(DECLARED.format(name=tenant))
    for command in _commands(exports, "initech"):
        made.finops(*command)
    for command in _commands(exports, "hooli"):
        code, output = finops(*command, data=made.data)
        assert code == 0, output


def _commands(exports: Path, tenant: str) -> list[tuple[str, ...]]:
    return [
        ("apply", str(exports / f"{tenant}.yaml")),
        ("ingest", tenant),
        ("query", tenant, "select count(*) from costs"),
        ("status", tenant),
    ]


def _open_to(data: Path, bits: int) -> dict[str, str]:
    """Everything below a folder that has one of these permissions, links excepted."""
    return {
        str(path.relative_to(data.parent)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in [data, *sorted(data.rglob("*"))]
        if not path.is_symlink() and path.lstat().st_mode & bits
    }


with_umasks = functools.partial(pytest.mark.parametrize, "umask", indirect=True)


@with_umasks(some_every_day([0o000, 0o022, 0o077]))
def test_nothing_is_open_to_others(
    umask: int, empty: TemporaryInstallation, tmp_path: Path
) -> None:
    _use(empty, tmp_path)
    assert len(list(empty.data.rglob("*"))) > 40
    assert _open_to(empty.data, 0o077) == {}


@with_umasks(some_every_day([0o077, 0o022, 0o000]))
def test_a_setting_lets_the_group_read(
    umask: int, empty: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINOPS_GROUP_READABLE", "true")
    _use(empty, tmp_path)
    assert _open_to(empty.data, 0o027) == {}
    closed = {
        path.relative_to(empty.data).as_posix()
        for path in empty.data.rglob("*")
        if not path.is_symlink() and not path.lstat().st_mode & 0o040
    }
    assert closed == set()
    assert all(p.stat().st_mode & stat.S_ISGID for p in empty.data.rglob("*")
               if p.is_dir() and not p.is_symlink())  # fmt: skip


def test_a_folder_of_the_user_keeps_its_permissions(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    empty.data.mkdir()
    empty.data.chmod(0o755)
    _use(empty, tmp_path)
    assert stat.S_IMODE(empty.data.stat().st_mode) == 0o755
    assert set(_open_to(empty.data, 0o077)) == {"data"}


def test_a_registry_of_an_older_version_becomes_private(empty: TemporaryInstallation) -> None:
    empty.finops("tenant", "add", "initech")
    (empty.data / "registry.sqlite").chmod(0o644)
    empty.finops("tenant", "add", "hooli")
    assert _open_to(empty.data, 0o077) == {}


def test_an_unfinished_export_is_readable_by_its_user_only(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    """Whenever the process dies, what it leaves has the charges of a tenant."""
    folder, limits = built.installation.folder("acme"), built.installation.limits
    with exporting(folder, tmp_path / "acme.duckdb", limits) as connection:
        connection.execute("create table export.unfinished as select 1 as n")
        (unfinished,) = tmp_path.iterdir()
        assert stat.S_IMODE(unfinished.stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["acme.duckdb"]
