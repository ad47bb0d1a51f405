"""An audit log that cannot be written: locked, damaged, read only, on a full disk.

Put here: that nothing is recorded by half, and what is raised. Keep out: the log itself
(test_audit_log.py).
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from finops_pipeline.errors import AuditUnavailable
from finops_pipeline.serve.access.audit_log import verify_audit
from finops_pipeline.serve.access.authorization import AccessControl
from tests.support.access_tenants import AccessDesk, open_desk
from tests.test_audit_log import SERVED


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AccessDesk]:
    opened = open_desk(tmp_path / "data")
    yield opened
    opened.control.close()


def test_nothing_is_recorded_and_nothing_served_while_another_holds_the_file(
    desk: AccessDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.control.record(SERVED)
    monkeypatch.setattr("finops_pipeline.serve.access.access_store.BUSY_SECONDS", 0.1)
    control = AccessControl(desk.installation)
    with closing(sqlite3.connect(desk.control.store.path)) as db:
        db.execute("begin immediate")
        with pytest.raises(AuditUnavailable, match="locked"):
            control.record(SERVED)
        assert len(desk.log()) == 1, "reading goes on"
    control.record(SERVED)
    control.close()
    assert len(desk.log()) == 2


@pytest.mark.parametrize("place", ["folder", "garbage"])
def test_a_log_that_cannot_be_opened_is_unavailable(desk: AccessDesk, place: str) -> None:
    path = desk.control.store.path
    path.mkdir() if place == "folder" else path.write_bytes(b"garbage" * 1000)
    with pytest.raises(AuditUnavailable, match=r"access\.sqlite cannot be used") as refused:
        desk.control.record(SERVED)
    assert refused.value.as_dict()["is_transient"] is True


FULL_DISK = """
import resource, sys
from pathlib import Path
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import AuditUnavailable
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.settings import Settings
control = AccessControl(Installation(Settings(data=Path(sys.argv[1]))))
entry = AuditEntry("costs", Outcome.SERVED, detail="x" * 2000)
control.record(entry)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
recorded = 1
try:
    while recorded < 500:
        control.record(entry)
        recorded += 1
except AuditUnavailable as error:
    print("unavailable", error)
try:
    control.record(entry)
    recorded += 1
except AuditUnavailable as error:
    print("unavailable")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
control.record(entry)
print(recorded + 1)
"""


def test_a_full_disk_makes_the_log_unavailable_and_loses_nothing(desk: AccessDesk) -> None:
    """The file may not grow beyond some bytes, as on a disk without more room."""
    data = desk.installation.settings.data_folder
    words = [sys.executable, "-c", FULL_DISK, str(data)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    *unavailable, recorded = done.stdout.splitlines()
    assert unavailable and unavailable[0].startswith("unavailable the audit log cannot be written")
    entries = desk.log()
    assert len(entries) == int(recorded) < 400
    assert [chain.problem for chain in verify_audit(desk.control.store)] == [""]


READ_ONLY = """
import os, sys
from pathlib import Path
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import AuditUnavailable
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.settings import Settings
if os.geteuid() == 0:
    os.setuid(65534)
control = AccessControl(Installation(Settings(data=Path(sys.argv[1]))))
try:
    control.record(AuditEntry("costs", Outcome.SERVED))
    print("recorded")
except AuditUnavailable as error:
    print("unavailable", error)
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users can reach, which the folders of pytest are not."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        for path in [*Path(folder).rglob("*"), Path(folder)]:
            path.chmod(0o755)


def test_a_log_that_may_only_be_read_is_unavailable(reachable: Path) -> None:
    desk = open_desk(reachable / "data")
    desk.control.record(SERVED)
    desk.control.close()
    data = desk.installation.settings.data_folder
    data.chmod(0o555)
    for path in data.iterdir():
        if path.is_file():
            path.chmod(0o444)
    done = subprocess.run([sys.executable, "-c", READ_ONLY, str(data)],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("another user cannot read this checkout")
    data.chmod(0o755)
    assert done.stdout.startswith("unavailable the audit log cannot be written"), done
    assert len(desk.log()) == 1
