"""`finops backup` and `finops restore`: a consistent copy while others write, and back again.

Real commands on two tenants with the same account; damage is planted in the folder of the backup.
Keep out: the registry alone (test_registry_recovery.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.bills import deliver, row

MONTHS = ("2026-08", "2026-09")
SQL = "select billing_period, sum(billed_cost) as billed from monthly_costs group by all order by 1"
CHARGES = "select billing_period, sum(BilledCost) as billed from costs group by all order by 1"
DECLARED = """
tenants:
- name: {name}
  sources: [{{name: payer, format: legacy-cur, location: {folder}/{name}/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """initech and hooli, with the same account, project and months, published."""
    for tenant, cost in (("initech", "1.5"), ("hooli", "7")):
        _deliver(tmp_path, tenant, cost)
        declared = tmp_path / f"{tenant}.yaml"
        declared.write_text(DECLARED.format(name=tenant, folder=tmp_path))
        empty.apply(declared)
        assert not empty.ingest(tenant).failed
    return empty


def _deliver(exports: Path, tenant: str, cost: str, months: tuple[str, ...] = MONTHS) -> None:
    for month in months:
        lines = [row(cost, day=f"{month}-05"), row(cost, "444455556666", day=f"{month}-06")]
        deliver(exports / tenant / "cur", lines, month, assembly=f"{tenant}-{cost}")


def _elsewhere(tmp_path: Path, name: str = "elsewhere") -> TemporaryInstallation:
    return TemporaryInstallation(tmp_path / name / "data")


def _contents(folder: Path) -> dict[str, str]:
    """Every file below a folder: checksum, and every link: its target."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def _answers(installation: TemporaryInstallation, tenant: str) -> Any:
    return [installation.rows(tenant, SQL), installation.rows(tenant, CHARGES)]


def _manifest(backup: Path, tenant: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((backup / f"tenant={tenant}/manifest.json").read_text())
    return loaded


def _external_ids(installation: TemporaryInstallation) -> dict[str, str]:
    return {t.name: t.external_id for t in installation.installation.registry.tenants()}


# ---- there and back


def test_everything_is_restored_into_a_new_data_folder(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    new = _elsewhere(tmp_path)
    new.finops("restore", str(tmp_path / "copy"))
    for tenant in ("initech", "hooli"):
        assert _answers(new, tenant) == _answers(two, tenant)
        assert not new.ingest(tenant).failed
    assert _external_ids(new) == _external_ids(two)
    registries = (new.installation.registry, two.installation.registry)
    assert registries[0].installation_id() == registries[1].installation_id()


def test_one_tenant_comes_back_as_it_was(two: TemporaryInstallation, tmp_path: Path) -> None:
    before = _answers(two, "initech")
    hooli = _contents(two.folder("hooli"))
    two.finops("backup", "initech", str(tmp_path / "copy"))
    _deliver(tmp_path, "initech", "99")
    assert not two.ingest("initech").failed
    assert _answers(two, "initech") != before
    two.finops("restore", str(tmp_path / "copy"), "initech", "--replace")
    assert _answers(two, "initech") == before
    assert _contents(two.folder("hooli")) == hooli
    assert not two.ingest("initech").failed, "the restored tenant goes on from there"
    assert _answers(two, "initech") != before
    leftovers = two.data / "lake" / ".restoring" / "initech"
    assert not leftovers.exists()


def test_a_tenant_that_exists_is_refused_without_the_option(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    before = _contents(two.data)
    for arguments in ((), ("initech",)):
        refused = two.finops("restore", str(tmp_path / "copy"), *arguments, ok=False)
        assert "--replace" in refused.stderr
    assert _contents(two.data) == before


def test_a_second_backup_copies_only_what_is_new(
    two: TemporaryInstallation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "--all", str(copy))
    again = json.loads(two.finops("backup", "--all", str(copy), "--format", "json").stdout)
    ledgers = {b["tenant"]: (two.folder(b["tenant"]) / "ledger.sqlite").stat().st_size
               for b in again}  # fmt: skip
    assert all(b["copied_bytes"] <= ledgers[b["tenant"]] < b["size_bytes"] for b in again)
    _deliver(tmp_path, "initech", "42", months=("2026-09",))
    assert not two.ingest("initech").failed
    two.finops("backup", "initech", str(copy))
    listed = {file["path"] for file in _manifest(copy, "initech")["files"]}
    present = set(_contents(copy / "tenant=initech")) - {"manifest.json"}
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
    other = _elsewhere(tmp_path)
    other.finops("tenant", "add", "umbrella")
    own_id = other.installation.registry.installation_id()
    other.finops("restore", str(tmp_path / "copy"))
    assert _answers(other, "initech") == _answers(two, "initech")
    assert other.installation.registry.installation_id() == own_id
    assert own_id != two.installation.registry.installation_id()
    assert _external_ids(other)["initech"] == _external_ids(two)["initech"]

    third = _elsewhere(tmp_path, "third")
    third.apply(tmp_path / "initech.yaml")
    external_ids = _external_ids(third)
    third.finops("restore", str(tmp_path / "copy"), "initech")
    assert _answers(third, "initech") == _answers(two, "initech")
    assert _external_ids(third) == external_ids, "what is declared there stays"


def test_a_new_installation_in_the_same_place_adopts_too(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    before = _answers(two, "initech")
    two.finops("backup", "initech", str(tmp_path / "copy"))
    shutil.rmtree(two.data)
    two.finops("tenant", "add", "umbrella")
    two.finops("restore", str(tmp_path / "copy"))
    assert _answers(two, "initech") == before
    assert not two.ingest("initech").failed


def test_a_tenant_without_data_is_backed_up_with_its_declaration(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("tenant", "add", "umbrella")
    two.finops("backup", "--all", str(tmp_path / "copy"))
    new = _elsewhere(tmp_path)
    new.finops("restore", str(tmp_path / "copy"), "umbrella")
    assert set(_external_ids(new)) == {"umbrella"}
    assert _external_ids(new)["umbrella"] == _external_ids(two)["umbrella"]


# ---- while others write


INGEST = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.conftest import TemporaryInstallation
from tests.test_backup import _deliver
data, exports = Path(sys.argv[2]), Path(sys.argv[3])
made = TemporaryInstallation(data)
print("ready", flush=True)
for number in range(int(sys.argv[4])):
    _deliver(exports, "initech", f"{number + 1}.25")
    assert not made.ingest("initech").failed
"""


def test_backups_during_ingests_are_consistent(
    two: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Marts and charges of each backup agree, though files are collected at once."""
    monkeypatch.setenv("FINOPS_READER_GRACE_HOURS", "0")
    root = str(Path(__file__).parents[1])
    words = [sys.executable, "-c", INGEST, root, str(two.data), str(tmp_path), "5"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as ingests:
        assert ingests.stdout and ingests.stdout.readline() == "ready\n"
        backups, started = [], time.monotonic()
        while ingests.poll() is None:
            copy = tmp_path / f"copy-{len(backups)}"
            two.finops("backup", "initech", str(copy))
            backups.append(copy)
        seconds = time.monotonic() - started
    assert ingests.returncode == 0
    publications = {_manifest(copy, "initech")["publication"] for copy in backups}
    assert len(publications) > 2
    for copy in backups:
        new = _elsewhere(tmp_path, f"restored-{copy.name}")
        new.finops("restore", str(copy), "initech")
        marts, charges = _answers(new, "initech")
        assert marts == charges != []
    request.config.stash.setdefault(FIGURES, []).append(
        f"backup: {len(backups)} backups of {len(publications)} publications while 5 ingests ran"
        f" ({seconds:.1f} s), all consistent"
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
        before = _contents(two.folder("initech"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FINOPS_LOCK_WAIT_SECONDS", "0")
            busy = two.finops("restore", str(tmp_path / "copy"), "initech", "--replace", ok=False)
        assert "being written by another process" in busy.stderr
        assert _contents(two.folder("initech")) == before
        assert writer.stdin
        writer.stdin.close()


# ---- what stops a backup


def test_a_backup_into_the_data_folder_is_refused(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(two.data)
    before = _contents(two.data)
    for place in (two.data, two.data / "copy", two.data / "lake" / "x", tmp_path / "link" / "copy"):
        refused = two.finops("backup", "--all", str(place), ok=False)
        assert "lies in the data folder" in refused.stderr
    assert _contents(two.data) == before


def test_a_damaged_tenant_does_not_stop_the_others(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "--all", str(copy))
    earlier = _manifest(copy, "hooli")
    charges = next(two.folder("hooli").glob(".store/costs/*=[a-z]*/*/*.parquet"))
    charges.write_bytes(b"damaged")
    _deliver(tmp_path, "initech", "3")
    assert not two.ingest("initech").failed
    fresh = tmp_path / "fresh"
    failed = two.finops("backup", "--all", str(fresh), ok=False)
    assert failed.returncode == 1
    assert "hooli" in failed.stderr and "initech" not in failed.stderr
    assert charges.name in failed.stderr
    assert not (fresh / "tenant=hooli/manifest.json").exists()
    new = _elsewhere(tmp_path)
    done = new.finops("restore", str(fresh), ok=False)
    assert "tenant hooli: " in done.stderr and "was not finished" in done.stderr
    assert _answers(new, "initech") == _answers(two, "initech")
    # The earlier backup has the right content of the file, and keeps it.
    two.finops("backup", "--all", str(copy))
    assert _manifest(copy, "hooli")["files"][1:] == earlier["files"][1:]


def test_a_folder_with_another_installations_backup_is_refused(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    two.finops("backup", "--all", str(tmp_path / "copy"))
    before = _contents(tmp_path / "copy")
    other = _elsewhere(tmp_path)
    other.finops("tenant", "add", "initech")
    failed = other.finops("backup", "initech", str(tmp_path / "copy"), ok=False)
    assert "another installation" in failed.stderr
    assert _contents(tmp_path / "copy") == before


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
    return "lists other files than the ledger needs"


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
    made = TemporaryInstallation(folder / "data")
    for tenant in ("initech", "hooli"):
        _deliver(folder, tenant, "1.5")
        (folder / f"{tenant}.yaml").write_text(DECLARED.format(name=tenant, folder=folder))
        made.apply(folder / f"{tenant}.yaml")
        assert not made.ingest(tenant).failed
    made.finops("backup", "--all", str(folder / "copy"))
    return made, folder / "copy"


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("_plant_"))
def test_a_damaged_backup_changes_nothing(
    plant: Any, backed_up: tuple[TemporaryInstallation, Path], tmp_path: Path
) -> None:
    made, intact = backed_up
    copy = Path(shutil.copytree(intact, tmp_path / "copy"))
    (tmp_path / "outside.parquet").write_text("not to be read")
    message = plant(copy / "tenant=initech")
    before = _contents(made.data)
    refused = made.finops("restore", str(copy), "initech", "--replace", ok=False)
    assert message in refused.stderr, refused.stderr
    lake = {k: v for k, v in _contents(made.data).items() if "/.restoring/" not in k}
    assert lake == {k: v for k, v in before.items() if "/.restoring/" not in k}
    assert (tmp_path / "outside.parquet").read_text() == "not to be read"


# ---- killed


KILL = """
import os, sys
steps = int(sys.argv[1])
def count(event, arguments):
    global steps
    if event in ("os.rename", "os.chmod", "os.mkdir", "sqlite3.connect", "open") and any(
        isinstance(a, str) and ("restoring" in a or "tenant=initech" in a) for a in arguments
    ):
        steps -= 1
        if steps == 0:
            os._exit(9)
from finops_pipeline.cli.app import main
sys.addaudithook(count)
sys.argv = ["finops", *sys.argv[2:]]
main()
"""


def test_a_killed_restore_leaves_the_old_or_the_new(
    two: TemporaryInstallation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    copy = tmp_path / "copy"
    two.finops("backup", "initech", str(copy))
    old = _answers(two, "initech")
    _deliver(tmp_path, "initech", "5")
    assert not two.ingest("initech").failed
    new_copy = tmp_path / "new-copy"
    two.finops("backup", "initech", str(new_copy))
    new = _answers(two, "initech")
    hooli = _contents(two.folder("hooli"))
    answers = {json.dumps(old): copy, json.dumps(new): new_copy}
    kills, swapped = 0, 0
    for step in range(1, 400, 17):
        now = json.dumps(_answers(two, "initech"))
        other = next(path for text, path in answers.items() if text != now)
        words = [sys.executable, "-c", KILL, str(step), "restore", str(other), "initech"]
        environment = {**os.environ, "FINOPS_DATA": str(two.data)}
        done = subprocess.run([*words, "--replace"], env=environment, check=False)
        after = json.dumps(_answers(two, "initech"))
        assert after in answers, "half of each"
        assert _contents(two.folder("hooli")) == hooli
        kills += done.returncode == 9
        swapped += after != now
        if done.returncode == 0:
            assert after != now
            break
    assert done.returncode == 0
    assert not two.ingest("initech").failed
    assert not (two.data / "lake/.restoring/initech").exists()
    request.config.stash.setdefault(FIGURES, []).append(
        f"restore: {kills} kills, {swapped} left the new data, the others the old"
    )


def test_a_killed_backup_leaves_the_earlier_one(two: TemporaryInstallation, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    words = [sys.executable, "-c", KILL, "25", "backup", "initech", str(copy)]
    environment = {**os.environ, "FINOPS_DATA": str(two.data)}
    assert subprocess.run(words, env=environment, check=False).returncode == 9
    new = _elsewhere(tmp_path)
    refused = new.finops("restore", str(copy), ok=False)
    assert "was not finished" in refused.stderr
    assert not list(new.data.glob("lake/tenant=*"))
    two.finops("backup", "initech", str(copy))
    before = _answers(two, "initech")
    _deliver(tmp_path, "initech", "5")
    assert not two.ingest("initech").failed
    assert subprocess.run(words, env=environment, check=False).returncode == 9
    new.finops("restore", str(copy))
    assert _answers(new, "initech") == before
