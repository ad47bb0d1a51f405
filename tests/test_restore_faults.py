"""Damaged and planted backups change nothing, and a kill leaves the old data or the new.

Damage is planted in the folder of a backup by somebody who knows its form. Keep out: backups that
are as finops wrote them (test_backup.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.restore import restore_backup
from finops_pipeline.errors import DiskFull
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.backups import (
    answers,
    contents,
    deliver_months,
    elsewhere,
    publish_two,
)
from tests.support.rewound_folder import rewound_by
from tests.support.tiers import some_every_day

pristine, tmp_path = rewound_by(publish_two)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Initech and hooli, published."""
    return empty


# ---- what stops a restore


def _rewrite_manifest(folder: Path, **changes: Any) -> None:
    """Change a manifest as somebody would who knows its checksum."""
    path = folder / "manifest.json"
    fields = {k: v for k, v in json.loads(path.read_text()).items() if k != "checksum"} | changes
    text = json.dumps(fields, sort_keys=True).encode()
    path.write_text(json.dumps({**fields, "checksum": hashlib.sha256(text).hexdigest()}))


def _plant_lost_file(backup: Path) -> str:
    next(backup.glob("store/costs/*/*/*.parquet")).unlink()
    return "is missing"


def _plant_changed_file(backup: Path) -> str:
    path = next(backup.glob("store/landing/*/*/*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "was changed or is damaged"


def _plant_changed_ledger(backup: Path) -> str:
    path = next(backup.glob("ledger-*.sqlite"))
    path.write_bytes(path.read_bytes() + b"x")
    return "was changed or is damaged"


def _plant_link(backup: Path) -> str:
    path = next(backup.glob("*.duckdb"))
    path.rename(backup.parent / "elsewhere.duckdb")
    path.symlink_to(backup.parent / "elsewhere.duckdb")
    return "is a link"


def _plant_linked_folder(backup: Path) -> str:
    (backup / "store").rename(backup.parent / "store")
    (backup / "store").symlink_to(backup.parent / "store")
    return "is a link or lies behind one"


def _plant_pipe(backup: Path) -> str:
    path = next(backup.glob("*.duckdb"))
    path.unlink()
    os.mkfifo(path)
    return "is not a regular file"


def _plant_lost_manifest(backup: Path) -> str:
    (backup / "manifest.json").rename(backup / "manifest.json.new")
    return "was not finished"


def _plant_torn_manifest(backup: Path) -> str:
    path = backup / "manifest.json"
    path.write_text(path.read_text()[:-40])
    return "is damaged"


def _plant_changed_manifest(backup: Path) -> str:
    path = backup / "manifest.json"
    path.write_text(path.read_text().replace('"publication": 3', '"publication": 4'))
    return "is damaged"


def _plant_newer_format(backup: Path) -> str:
    _rewrite_manifest(backup, format_version=2)
    return "Install the newer finops_pipeline"


def _plant_other_tenant(backup: Path) -> str:
    _rewrite_manifest(backup, tenant="hooli")
    return "is not the manifest of tenant initech"


def _plant_path(backup: Path, path: str) -> str:
    files = json.loads((backup / "manifest.json").read_text())["files"]
    files[-1]["path"] = path
    _rewrite_manifest(backup, files=files)
    return "does not list store/"


def _plant_parent_path(backup: Path) -> str:
    return _plant_path(backup, "../../../outside.parquet")


def _plant_absolute_path(backup: Path) -> str:
    return _plant_path(backup, str(backup.parent / "outside.parquet"))


def _plant_further_file(backup: Path) -> str:
    files = json.loads((backup / "manifest.json").read_text())["files"]
    entry = {"path": "../../outside", "sha256": "0" * 64, "size_bytes": 3}
    _rewrite_manifest(backup, files=[*files, entry])
    return "lists files that the ledger does not need"


def _plant_foreign_ledger(backup: Path) -> str:
    """The ledger of hooli, with hooli's entry in the manifest."""
    other = json.loads((backup.parent / "tenant=hooli/manifest.json").read_text())["files"][0]
    shutil.copy(backup.parent / "tenant=hooli" / other["path"], backup)
    files = json.loads((backup / "manifest.json").read_text())["files"]
    _rewrite_manifest(backup, files=[other, *files[1:]])
    return "belongs to another tenant"


def _plant_wrong_types(backup: Path) -> str:
    _rewrite_manifest(backup, files=[{"path": 3, "sha256": "0" * 64, "size_bytes": "3"}])
    return "is damaged"


PLANTS = [value for name, value in sorted(globals().items()) if name.startswith("_plant_")
          and name != "_plant_path"]  # fmt: skip


@pytest.fixture(scope="module")
def backed_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[TemporaryInstallation, Path]:
    """Two published tenants and their backup. Read only: copy the backup to damage it."""
    folder = tmp_path_factory.mktemp("backed-up")
    made = publish_two(folder)
    made.finops("backup", "--all", str(folder / "copy"))
    return made, folder / "copy"


@pytest.mark.parametrize(
    "plant", some_every_day(PLANTS), ids=lambda plant: plant.__name__.removeprefix("_plant_")
)
def test_a_damaged_backup_changes_nothing(
    plant: Any, backed_up: tuple[TemporaryInstallation, Path], tmp_path: Path
) -> None:
    made, intact = backed_up
    copy = Path(shutil.copytree(intact, tmp_path / "copy"))
    (tmp_path / "outside.parquet").write_text("not to be read")
    message = plant(copy / "tenant=initech")
    before = contents(made.data)
    refused = made.finops("restore", str(copy), "initech", "--replace", ok=False)
    assert message in refused.stderr, refused.stderr
    lake = {k: v for k, v in contents(made.data).items() if "/.restoring/" not in k}
    assert lake == {k: v for k, v in before.items() if "/.restoring/" not in k}
    assert (tmp_path / "outside.parquet").read_text() == "not to be read"


# ---- killed


KILL = """
import os, sys
steps, events = int(sys.argv[1]), sys.argv[2].split(",")
def count(event, arguments):
    global steps
    paths = [os.fspath(a) for a in arguments if isinstance(a, (str, os.PathLike))]
    if event in events and any("restoring" in p or "tenant=initech" in p for p in paths):
        if events == ["os.rename"] and not any(p.endswith("initech/old") or
            p.endswith("new/lake/tenant=initech") for p in paths):
            return
        steps -= 1
        if steps == 0:
            os._exit(9)
from finops_pipeline.cli.app import main
sys.addaudithook(count)
sys.argv = ["finops", *sys.argv[3:]]
main()
"""
EVERYTHING, SWAP = "os.rename,os.chmod,os.mkdir,sqlite3.connect,open", "os.rename"
"""Operations at which a process is killed: all on the tenant's files, or the two renames."""


def _run_killed(two: TemporaryInstallation, step: int, events: str, *arguments: str) -> int:
    words = [sys.executable, "-c", KILL, str(step), events, *arguments]
    environment = {**os.environ, "FINOPS_DATA": str(two.data)}
    return subprocess.run(words, env=environment, check=False).returncode


@pytest.mark.parametrize("step", some_every_day([1, 2]))
def test_a_restore_killed_at_a_rename_leaves_the_old(
    step: int, two: TemporaryInstallation, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    two.finops("backup", "initech", copy)
    deliver_months(tmp_path, "initech", "5")
    assert not two.ingest("initech").failed
    before = answers(two, "initech")
    assert _run_killed(two, step, SWAP, "restore", copy, "initech", "--replace") == 9
    assert two.folder("initech").exists() is (step == 1)
    assert answers(two, "initech") == before
    assert not two.ingest("initech").failed
    assert not (two.data / "lake/.restoring/initech").exists()


@pytest.mark.parametrize("stride", [450, pytest.param(5, marks=pytest.mark.torture)])
def test_a_killed_restore_leaves_the_old_or_the_new(
    two: TemporaryInstallation, tmp_path: Path, request: pytest.FixtureRequest, stride: int
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "initech", str(copy))
    old = answers(two, "initech")
    deliver_months(tmp_path, "initech", "5")
    assert not two.ingest("initech").failed
    new_copy = tmp_path / "new-copy"
    two.finops("backup", "initech", str(new_copy))
    new = answers(two, "initech")
    hooli = contents(two.folder("hooli"))
    copies = {json.dumps(old): copy, json.dumps(new): new_copy}
    kills, swapped = 0, 0
    for step in range(1, 900, stride):
        now = json.dumps(answers(two, "initech"))
        other = next(path for text, path in copies.items() if text != now)
        code = _run_killed(two, step, EVERYTHING, "restore", str(other), "initech", "--replace")
        after = json.dumps(answers(two, "initech"))
        assert after in copies, "half of each"
        assert contents(two.folder("hooli")) == hooli
        kills += code == 9
        swapped += after != now
        if code == 0:
            assert after != now
            break
    assert code == 0
    assert not two.ingest("initech").failed
    assert not (two.data / "lake/.restoring/initech").exists()
    request.config.stash.setdefault(FIGURES, []).append(
        f"restore: {kills} kills, {swapped} left the new data, the others the old"
    )


def test_a_killed_backup_leaves_the_earlier_one(two: TemporaryInstallation, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert _run_killed(two, 60, EVERYTHING, "backup", "initech", str(copy)) == 9
    new = elsewhere(tmp_path)
    refused = new.finops("restore", str(copy), ok=False)
    assert "was not finished" in refused.stderr
    assert not list(new.data.glob("lake/tenant=*"))
    two.finops("backup", "initech", str(copy))
    before = answers(two, "initech")
    deliver_months(tmp_path, "initech", "5")
    assert not two.ingest("initech").failed
    assert _run_killed(two, 60, EVERYTHING, "backup", "initech", str(copy)) == 9
    new.finops("restore", str(copy))
    assert answers(new, "initech") == before


def test_a_restore_without_room_is_refused_before_it_fills_the_disk(
    two: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    before = contents(two.data)
    usage = shutil.disk_usage(two.data)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(DiskFull, match="has 1000 free"):
            restore_backup(two.installation, tmp_path / "copy", "initech", is_replacing=True)
    next((tmp_path / "copy/tenant=initech/store").rglob("*.parquet")).unlink()
    two.finops("restore", str(tmp_path / "copy"), "initech", "--replace", ok=False)
    assert not (two.data / "lake/.restoring/initech").exists(), "it would take room for ever"
    assert contents(two.data).items() >= before.items()
    assert answers(two, "initech")
