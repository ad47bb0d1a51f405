"""`finops backup` and `finops restore`: a consistent copy while others write, and back again.

Real commands on two tenants with the same account. Keep out: damaged backups and killed commands
(test_restore_faults.py), the registry alone (test_registry_recovery.py).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.backups import (
    answers,
    contents,
    deliver_months,
    elsewhere,
    external_ids,
    manifest_of,
    publish_two,
)
from tests.support.rewound_folder import rewound_by

pristine, tmp_path = rewound_by(publish_two)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Initech and hooli, published."""
    return empty


# ---- there and back


def test_everything_is_restored_into_a_new_data_folder(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    new = elsewhere(tmp_path)
    new.finops("restore", str(tmp_path / "copy"))
    for tenant in ("initech", "hooli"):
        assert answers(new, tenant) == answers(two, tenant)
        assert not new.ingest(tenant).failed
    assert external_ids(new) == external_ids(two)
    registries = (new.installation.registry, two.installation.registry)
    assert registries[0].installation_id() == registries[1].installation_id()


def test_one_tenant_comes_back_as_it_was(two: TemporaryInstallation, tmp_path: Path) -> None:
    before = answers(two, "initech")
    hooli = contents(two.folder("hooli"))
    two.finops("backup", "initech", str(tmp_path / "copy"))
    deliver_months(tmp_path, "initech", "99")
    assert not two.ingest("initech").failed
    assert answers(two, "initech") != before
    two.finops("restore", str(tmp_path / "copy"), "initech", "--replace")
    assert answers(two, "initech") == before
    assert contents(two.folder("hooli")) == hooli
    assert not two.ingest("initech").failed, "the restored tenant goes on from there"
    assert answers(two, "initech") != before
    leftovers = two.data / "lake" / ".restoring" / "initech"
    assert not leftovers.exists()


def test_a_tenant_that_exists_is_refused_without_the_option(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    before = contents(two.data)
    for arguments in ((), ("initech",)):
        refused = two.finops("restore", str(tmp_path / "copy"), *arguments, ok=False)
        assert "--replace" in refused.stderr
    assert contents(two.data) == before


def test_a_second_backup_copies_only_what_is_new(
    two: TemporaryInstallation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "--all", str(copy))
    again = json.loads(two.finops("backup", "--all", str(copy), "--format", "json").stdout)
    ledgers = {b["tenant"]: (two.folder(b["tenant"]) / "ledger.sqlite").stat().st_size
               for b in again}  # fmt: skip
    assert all(b["copied_bytes"] <= ledgers[b["tenant"]] < b["size_bytes"] for b in again)
    deliver_months(tmp_path, "initech", "42", months=("2026-09",))
    assert not two.ingest("initech").failed
    two.finops("backup", "initech", str(copy))
    listed = {file["path"] for file in manifest_of(copy, "initech")["files"]}
    present = set(contents(copy / "tenant=initech")) - {"manifest.json"}
    assert present == listed, "what only the older backup had is gone"
    total = sum(b["size_bytes"] for b in again)
    new = sum(b["copied_bytes"] for b in again)
    request.config.stash.setdefault(FIGURES, []).append(
        f"backup: {total} bytes; again without changes: {new} bytes copied (the ledgers)"
    )


def test_another_installations_tenant_is_adopted(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """Once with its declaration from the backup, once declared there already."""
    two.finops("backup", "initech", str(tmp_path / "copy"))
    other = elsewhere(tmp_path)
    other.finops("tenant", "add", "umbrella")
    own_id = other.installation.registry.installation_id()
    other.finops("restore", str(tmp_path / "copy"))
    assert answers(other, "initech") == answers(two, "initech")
    assert other.installation.registry.installation_id() == own_id
    assert own_id != two.installation.registry.installation_id()
    assert external_ids(other)["initech"] == external_ids(two)["initech"]

    third = elsewhere(tmp_path, "third")
    third.apply(tmp_path / "initech.yaml")
    before = external_ids(third)
    third.finops("restore", str(tmp_path / "copy"), "initech")
    assert answers(third, "initech") == answers(two, "initech")
    assert external_ids(third) == before, "what is declared there stays"


def test_a_new_installation_in_the_same_place_adopts_too(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    before = answers(two, "initech")
    two.finops("backup", "initech", str(tmp_path / "copy"))
    shutil.rmtree(two.data)
    two.finops("tenant", "add", "umbrella")
    two.finops("restore", str(tmp_path / "copy"))
    assert answers(two, "initech") == before
    assert not two.ingest("initech").failed


def test_a_tenant_without_data_is_backed_up_with_its_declaration(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("tenant", "add", "umbrella")
    two.finops("backup", "--all", str(tmp_path / "copy"))
    new = elsewhere(tmp_path)
    new.finops("restore", str(tmp_path / "copy"), "umbrella")
    assert set(external_ids(new)) == {"umbrella"}
    assert external_ids(new)["umbrella"] == external_ids(two)["umbrella"]


# ---- while others write


INGEST = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.conftest import TemporaryInstallation
from tests.support.backups import deliver_months
data, exports = Path(sys.argv[2]), Path(sys.argv[3])
made = TemporaryInstallation(data)
print("ready", flush=True)
for number in range(int(sys.argv[4])):
    deliver_months(exports, "initech", f"{number + 1}.25")
    assert not made.ingest("initech").failed
"""


@pytest.mark.parametrize("count", [1, pytest.param(12, marks=pytest.mark.torture)])
def test_backups_during_ingests_are_consistent(
    two: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest, count: int,
) -> None:  # fmt: skip
    """Marts and charges of each backup agree, though files are collected at once."""
    monkeypatch.setenv("FINOPS_READER_GRACE_HOURS", "0")
    root = str(Path(__file__).parents[1])
    words = [sys.executable, "-c", INGEST, root, str(two.data), str(tmp_path), str(count)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as ingests:
        assert ingests.stdout and ingests.stdout.readline() == "ready\n"
        backups, started = [], time.monotonic()
        while ingests.poll() is None:
            copy = tmp_path / f"copy-{len(backups)}"
            two.finops("backup", "initech", str(copy))
            backups.append(copy)
        seconds = time.monotonic() - started
    assert ingests.returncode == 0
    publications = {manifest_of(copy, "initech")["publication"] for copy in backups}
    assert publications
    for copy in backups:
        new = elsewhere(tmp_path, f"restored-{copy.name}")
        new.finops("restore", str(copy), "initech")
        marts, charges = answers(new, "initech")
        assert marts == charges != []
    request.config.stash.setdefault(FIGURES, []).append(
        f"backup: {len(backups)} backups of {len(publications)} publications while {count}"
        f" ingests ran ({seconds:.1f} s), all consistent"
    )


HOLD = """
import sys
from finops_pipeline.application.installation import Installation
from finops_pipeline.settings import load_settings
with Installation(load_settings()).writing("initech"):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_backup_does_not_wait_for_the_writer(two: TemporaryInstallation, tmp_path: Path) -> None:
    environment = {**os.environ, "FINOPS_DATA": str(two.data)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as writer:  # fmt: skip
        assert writer.stdout and writer.stdout.readline() == "ready\n"
        two.finops("backup", "initech", str(tmp_path / "copy"))
        environment["FINOPS_LOCK_WAIT_SECONDS"] = "0"
        before = contents(two.folder("initech"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FINOPS_LOCK_WAIT_SECONDS", "0")
            busy = two.finops("restore", str(tmp_path / "copy"), "initech", "--replace", ok=False)
        assert "being written by another process" in busy.stderr
        assert contents(two.folder("initech")) == before
        assert writer.stdin
        writer.stdin.close()


# ---- what stops a backup


def test_a_backup_into_the_data_folder_is_refused(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(two.data)
    before = contents(two.data)
    for place in (two.data, two.data / "copy", two.data / "lake" / "x", tmp_path / "link" / "copy"):
        refused = two.finops("backup", "--all", str(place), ok=False)
        assert "lies in the data folder" in refused.stderr
    assert contents(two.data) == before


def test_a_damaged_tenant_does_not_stop_the_others(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "--all", str(copy))
    earlier = manifest_of(copy, "hooli")
    charges = next(two.folder("hooli").glob(".store/costs/*=[a-z]*/*/*.parquet"))
    charges.write_bytes(b"damaged")
    deliver_months(tmp_path, "initech", "3")
    assert not two.ingest("initech").failed
    fresh = tmp_path / "fresh"
    failed = two.finops("backup", "--all", str(fresh), ok=False)
    assert failed.returncode == 1
    assert "hooli" in failed.stderr and "initech" not in failed.stderr
    assert charges.name in failed.stderr
    assert not (fresh / "tenant=hooli/manifest.json").exists()
    new = elsewhere(tmp_path)
    done = new.finops("restore", str(fresh), ok=False)
    assert "tenant hooli: " in done.stderr and "was not finished" in done.stderr
    assert answers(new, "initech") == answers(two, "initech")
    # The earlier backup has the right content of the file, and keeps it.
    two.finops("backup", "--all", str(copy))
    assert manifest_of(copy, "hooli")["files"][1:] == earlier["files"][1:]


def test_a_folder_with_another_installations_backup_is_refused(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    before = contents(tmp_path / "copy")
    other = elsewhere(tmp_path)
    other.finops("tenant", "add", "initech")
    failed = other.finops("backup", "initech", str(tmp_path / "copy"), ok=False)
    assert "another installation" in failed.stderr
    assert contents(tmp_path / "copy") == before


def test_a_backup_is_private(two: TemporaryInstallation, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        two.finops("backup", "--all", str(outside / "copy"))
        two.finops("backup", "initech", str(outside))
    finally:
        os.umask(before)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755, "a folder of the user stays as it is"
    modes = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in [*(outside / "copy").rglob("*"), outside / "copy", *outside.glob("tenant*")]
    }
    assert modes == {(True, 0o700), (False, 0o600)}


def test_a_folder_of_an_undeclared_tenant_is_named(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    (two.data / "lake/tenant=umbrella").mkdir()
    done = two.finops("backup", "--all", str(tmp_path / "copy"))
    assert "tenant umbrella has a folder but is not declared" in done.stderr
    assert not (tmp_path / "copy/tenant=umbrella").exists()
    assert "umbrella" not in two.finops("backup", "initech", str(tmp_path / "copy")).stderr
