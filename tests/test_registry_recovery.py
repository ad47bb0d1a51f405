"""A lost or damaged registry: refused by every command, and restored by the cure as printed.

Two tenants with external ids. Keep out: registries as part of a backup (test_backup.py).
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import stat
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.rewound_folder import rewound_by
from tests.support.tiers import some_every_day

DECLARED = """
tenants:
- name: {name}
  display_name: {name}, Inc.
  sources: [{{name: payer, format: legacy-cur, location: {name}/cur}}]
  projects: [{{name: prod, accounts: [{{id: "111122223333", from: 2026-01-01}}]}}]
"""


def _begin(folder: Path) -> None:
    """Declare initech and hooli, and publish a month of initech."""
    made = TemporaryInstallation(folder / "data")
    for tenant in ("initech", "hooli"):
        deliver(folder / tenant / "cur", [row("1.5")])
        (folder / f"{tenant}.yaml").write_text(DECLARED.format(name=tenant))
        made.finops("apply", str(folder / f"{tenant}.yaml"))
    assert not made.ingest("initech").failed


pristine, tmp_path = rewound_by(_begin)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """initech and hooli; initech has published a month."""
    return empty


def _everything(installation: TemporaryInstallation) -> tuple[object, ...]:
    registry = installation.installation.registry
    return registry.installation_id(), registry.tenants()


def _remove(registry: Path) -> None:
    registry.unlink()


def _empty(registry: Path) -> None:
    registry.write_bytes(b"")


def _other_content(registry: Path) -> None:
    registry.write_text("tenants: []\n" * 500)


def _cut(registry: Path) -> None:
    registry.write_bytes(registry.read_bytes()[:5000])


def _torn(registry: Path) -> None:
    content = registry.read_bytes()
    registry.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def _other_database(registry: Path) -> None:
    registry.unlink()
    with closing(sqlite3.connect(registry)) as db:
        db.execute("create table notes (text)")
        db.commit()


def _folder(registry: Path) -> None:
    registry.unlink()
    registry.mkdir()


DAMAGES = (_remove, _empty, _other_content, _cut, _torn, _other_database, _folder)
damaged = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__[1:])
Damage = Callable[[Path], None]


def _cure(stderr: str) -> list[str]:
    match = re.search(r"Restore it: finops (.*)\.$", stderr.strip())
    assert match, stderr
    return shlex.split(match[1])


@damaged
def test_a_damaged_registry_is_refused_and_the_cure_restores_it(
    damage: Damage, two: TemporaryInstallation, tmp_path: Path
) -> None:
    before, registry = _everything(two), two.data / "registry.sqlite"
    damage(registry)
    for words in (
        ("status",), ("tenant", "list"), ("ingest",), ("query", "initech", "select 1"),
        ("apply", str(tmp_path / "hooli.yaml")), ("tenant", "add", "umbrella"),
        ("backup", "--all", str(tmp_path / "copy")), ("restore", str(tmp_path)),
    ):  # fmt: skip
        refused = two.finops(*words, ok=False)
        if words[0] != "restore":
            assert f"the registry {registry}" in refused.stderr, refused.stderr
            cure = _cure(refused.stderr)
    assert cure == ["restore-registry"]
    two.finops(*cure)
    assert _everything(two) == before
    assert not two.ingest("initech").failed
    assert stat.S_IMODE(registry.stat().st_mode) == 0o600


@pytest.mark.parametrize("source", ["export", "declaration"])
@pytest.mark.parametrize("damage", some_every_day(DAMAGES), ids=lambda damage: damage.__name__[1:])
def test_without_a_copy_a_file_restores_it(
    damage: Damage, source: str, two: TemporaryInstallation, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An export brings external ids back; a tenants.yaml cannot, which is reported."""
    monkeypatch.chdir(tmp_path)
    before, registry = _everything(two), two.data / "registry.sqlite"
    if source == "export":
        Path("tenants.yaml").write_text(two.finops("tenant", "export").stdout)
    else:
        both = [yaml.safe_load((tmp_path / f"{t}.yaml").read_text())["tenants"][0]
                for t in ("hooli", "initech")]  # fmt: skip
        Path("tenants.yaml").write_text(yaml.safe_dump({"tenants": both}))
    damage(registry)
    (two.data / ".registry-copy.sqlite").unlink()
    cure = _cure(two.finops("status", ok=False).stderr)
    assert cure == ["restore-registry", "--from", "tenants.yaml"]
    done = two.finops(*cure)
    after = _everything(two)
    assert after[0] == before[0], "the id of the installation, from the ledgers"
    if source == "export":
        assert after == before
        assert not done.stderr
    else:
        assert "initech has a new external id" in done.stderr
        names = [tenant.name for tenant in two.installation.registry.tenants()]
        assert names == ["hooli", "initech"]
    assert not two.ingest("initech").failed


def test_a_journal_of_the_damaged_registry_is_not_applied(two: TemporaryInstallation) -> None:
    """SQLite applies a hot journal to whatever file has the name that belongs to it."""
    before, registry = _everything(two), two.data / "registry.sqlite"
    with closing(sqlite3.connect(registry)) as db:  # what the journal will bring back
        db.execute("update tenants set display_name = 'wrong'")
        db.commit()
    words = "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
    words += "db.execute('pragma cache_size = 1'); db.execute('begin');"
    words += (
        "db.executemany('insert into tenants (tenant, display_name, external_id) values (?, ?, ?)',"
    )
    words += "((f't{n}', 'x' * 3000, '') for n in range(99))); os._exit(1)"
    two.python(f"import sys; sys.argv = ['-c', {str(registry)!r}]; {words}")
    assert registry.with_name("registry.sqlite-journal").stat().st_size > 512
    registry.write_bytes(b"not a registry")
    two.finops("restore-registry")
    assert _everything(two) == before
    assert not registry.with_name("registry.sqlite-journal").exists()


def test_a_registry_that_can_be_read_is_not_restored(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    before = _everything(two)
    (tmp_path / "export.yaml").write_text(two.finops("tenant", "export").stdout)
    for words in ((), ("--from", str(tmp_path / "export.yaml"))):
        refused = two.finops("restore-registry", *words, ok=False)
        assert "can be read and has 2 tenants" in refused.stderr
    refused = two.finops("apply", str(tmp_path / "export.yaml"), ok=False)
    assert "external_id is declared" in refused.stderr or "installation_id" in refused.stderr
    assert _everything(two) == before


def test_a_new_data_folder_has_no_tenants_and_works(tmp_path: Path) -> None:
    empty = TemporaryInstallation(tmp_path / "new/data")
    assert "tenant" in empty.finops("tenant", "list").stdout
    assert not empty.data.exists()
    empty.finops("tenant", "add", "umbrella")
    assert [t.name for t in empty.installation.registry.tenants()] == ["umbrella"]
    refused = empty.finops("restore-registry", ok=False)
    assert "can be read" in refused.stderr


def test_ledgers_of_two_installations_are_not_guessed_from(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """Without an id in the file, the ledgers must agree."""
    assert not two.ingest("hooli").failed
    with closing(sqlite3.connect(two.folder("hooli") / "ledger.sqlite")) as db:
        db.execute("update owner set installation_id = ?", [str(uuid.uuid4())])
        db.commit()
    (two.data / "registry.sqlite").unlink()
    (two.data / ".registry-copy.sqlite").unlink()
    refused = two.finops("restore-registry", "--from", str(tmp_path / "initech.yaml"), ok=False)
    assert "name 2 installations" in refused.stderr
    assert not (two.data / "registry.sqlite").exists()


def test_a_folder_without_a_declaration_is_named(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    (two.data / "registry.sqlite").unlink()
    (two.data / ".registry-copy.sqlite").unlink()
    done = two.finops("restore-registry", "--from", str(tmp_path / "hooli.yaml"))
    assert "initech has a folder but is not declared" in done.stderr


def test_a_chosen_id_that_finops_did_not_make_is_refused(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    entry = yaml.safe_load((tmp_path / "hooli.yaml").read_text())
    entry["tenants"][0]["external_id"] = "the-id-of-another-customer"
    (tmp_path / "chosen.yaml").write_text(yaml.safe_dump(entry))
    (two.data / "registry.sqlite").write_bytes(b"")
    refused = two.finops("restore-registry", "--from", str(tmp_path / "chosen.yaml"), ok=False)
    assert "an id as finops made it" in refused.stderr
    assert (two.data / "registry.sqlite").read_bytes() == b""


def test_each_change_is_in_the_copy(two: TemporaryInstallation) -> None:
    copy = two.data / ".registry-copy.sqlite"
    two.finops("project", "release", "initech/prod", "111122223333")
    before = _everything(two)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    (two.data / "registry.sqlite").unlink()
    two.finops("restore-registry")
    assert _everything(two) == before


def test_an_ingest_gives_an_older_installation_its_copy(two: TemporaryInstallation) -> None:
    copy = two.data / ".registry-copy.sqlite"
    copy.unlink()
    assert not two.ingest("initech").failed
    assert copy.exists()
