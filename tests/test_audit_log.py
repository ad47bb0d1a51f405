"""The audit log: append-only, chained, written before anything leaves, by many at once.

Put here: recording and the chains. Keep out: a log that cannot be written
(test_audit_unavailable.py), which requests are recorded (test_access.py), the command
(test_access_commands.py).
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from finops_pipeline.errors import PermissionMissing
from finops_pipeline.serve.access.audit_entries import AuditEntry, AuditSelection, Outcome
from finops_pipeline.serve.access.audit_log import AuditLog, verify_audit
from finops_pipeline.serve.access.verified_access import Permission, Role
from tests.support.access_tenants import AccessDesk, open_desk, projects

SERVED = AuditEntry("costs", Outcome.SERVED, principal="acme/ci", rows=3, request_id="req-7")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AccessDesk]:
    opened = open_desk(tmp_path / "data")
    yield opened
    opened.control.close()


def execute(desk: AccessDesk, sql: str) -> None:
    """Run SQL on the file directly, as somebody who can write it."""
    with closing(sqlite3.connect(desk.control.store.path)) as db, db:
        db.executescript(sql)


def problems(desk: AccessDesk) -> list[str]:
    return [chain.problem for chain in verify_audit(desk.control.store) if chain.problem]


def test_an_entry_says_who_did_what(desk: AccessDesk) -> None:
    caller = desk.caller("acme/ci", Role.ANALYST, projects("prod", "lab"))
    access = desk.control.authorize(caller, "acme", Permission.QUERY)
    entry = AuditEntry.of(caller, "sql", Outcome.SERVED, access)
    desk.control.record(replace(entry, rows=12, request_id="req-1", detail="2 columns"))
    stored = desk.log("acme")[-1]
    assert (stored.principal, stored.principal_id) == ("acme/ci", caller.principal_id)
    assert (stored.token, stored.action, stored.outcome) == (caller.token, "sql", "served")
    assert (stored.tenant, stored.projects, stored.rows) == ("acme", ["lab", "prod"], 12)
    assert (stored.request_id, stored.detail, stored.number) == ("req-1", "2 columns", 4)
    assert stored.at.endswith("+00:00")
    assert problems(desk) == []


def test_each_tenant_has_its_own_chain(desk: AccessDesk) -> None:
    """What happens in one tenant changes neither numbers nor hashes of another's log."""
    callers = {tenant: desk.caller(f"{tenant}/ci", Role.ADMIN) for tenant in ("acme", "globex")}
    accesses = {t: desk.control.authorize(c, t, Permission.ADMINISTER) for t, c in callers.items()}
    before = desk.log("globex")
    for _ in range(5):
        desk.control.record(AuditEntry.of(callers["acme"], "me", Outcome.SERVED, accesses["acme"]))
    assert desk.log("globex") == before
    own = desk.control.audit_log(accesses["acme"], AuditSelection())
    assert [entry.number for entry in own] == list(range(1, len(own) + 1))
    assert {entry.tenant for entry in own} == {"acme"}
    assert "globex" not in str(own)
    page = desk.control.audit_log(accesses["acme"], AuditSelection(after=2, limit=2))
    assert [entry.number for entry in page] == [3, 4]
    newest = desk.control.audit_log(accesses["acme"], AuditSelection(limit=2, is_newest=True))
    assert newest == own[-2:]
    assert desk.control.audit_log(accesses["acme"], AuditSelection(since="9999")) == []
    assert desk.control.audit_log(accesses["acme"], AuditSelection(until="2000")) == []
    viewer = desk.caller("acme/viewer")
    with pytest.raises(PermissionMissing):
        desk.control.audit_log(
            desk.control.authorize(viewer, "acme", Permission.READ), AuditSelection()
        )


def test_a_request_for_a_foreign_tenant_is_not_in_that_tenants_log(desk: AccessDesk) -> None:
    stranger = desk.caller("globex/ci")
    before = desk.log("acme")
    for tenant in ("acme", "initech"):
        with pytest.raises(Exception, match="that you have access to"):
            desk.control.authorize(stranger, tenant, Permission.READ, "req-9")
    assert desk.log("acme") == before
    asked = [(e.tenant, e.principal, e.outcome, e.request_id) for e in desk.log()[-2:]]
    assert asked == [(t, "globex/ci", "refused", "req-9") for t in ("acme", "initech")]


@pytest.mark.parametrize(
    "sql",
    [
        "update audit_log set rows = 0",
        "update audit_log set entry_hash = '' where number = 2",
        "delete from audit_log",
        "delete from audit_log where number = 3",
        "insert or replace into audit_log select tenant_id, number, at, principal_id, 'eve',"
        " token, action, outcome, tenant, projects, rows, request_id, detail, entry_hash"
        " from audit_log where number = 2",
        "insert into audit_log select tenant_id, 9, at, principal_id, principal, token, action,"
        " outcome, tenant, projects, rows, request_id, detail, entry_hash from audit_log"
        " where number = 2",
        "update or replace audit_log set number = 1 where number = 2",
    ],
)
def test_entries_are_neither_changed_nor_deleted(desk: AccessDesk, sql: str) -> None:
    for _ in range(3):
        desk.control.record(SERVED)
    before = desk.log()
    with pytest.raises(sqlite3.IntegrityError, match="of the audit log"):
        execute(desk, sql)
    assert desk.log() == before and len(before) == 3


OFF = "drop trigger audit_log_no_update; drop trigger audit_log_no_delete;"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("update audit_log set rows = 0 where number = 2", "the entry with number 2 was changed"),
        ("update audit_log set principal = 'eve' where number = 3", "number 3 was changed"),
        ("update audit_log set at = '2020' where number = 1", "number 1 was changed"),
        ("update audit_log set projects = '[]' where number = 2", "number 2 was changed"),
        ("delete from audit_log where number = 2", "1 entry is missing after number 1"),
        ("delete from audit_log where number < 3", "2 entries are missing after number 0"),
        ("update audit_log set tenant_id = 'x' where number > 1", "missing after number 0"),
    ],
)
def test_what_was_changed_around_the_triggers_shows(
    desk: AccessDesk, sql: str, problem: str
) -> None:
    for _ in range(4):
        desk.control.record(SERVED)
    assert problems(desk) == []
    execute(desk, OFF + sql)
    assert [text for text in problems(desk) if problem in text]


def test_an_entry_that_was_changed_together_with_its_hash_shows_at_the_next(
    desk: AccessDesk,
) -> None:
    for _ in range(4):
        desk.control.record(SERVED)
    first, second, *_ = desk.log()
    new_hash = replace(second, principal="eve").hash_after(first.entry_hash)
    change = f"update audit_log set principal = 'eve', entry_hash = '{new_hash}' where number = 2"
    execute(desk, f"{OFF} {change}")
    assert problems(desk) == ["the entry with number 3 was changed"]


@pytest.mark.parametrize(
    "text", ["\ud800", "\0", "x" * 10**6, "'; drop table audit_log; --", "é\n"]
)
def test_any_text_can_be_recorded(desk: AccessDesk, text: str) -> None:
    desk.control.record(
        AuditEntry(text, Outcome.REFUSED, tenant=text, request_id=text, detail=text)
    )
    desk.control.record(SERVED)
    assert problems(desk) == []
    assert len(desk.log()[0].detail) <= 2_100


# ---- many at once


def test_threads_append_together_and_every_entry_is_there(desk: AccessDesk) -> None:
    desk.control.record(SERVED)

    def record(name: int) -> None:
        for number in range(10):
            desk.control.record(replace(SERVED, request_id=f"{name}-{number}"))

    threads = [Thread(target=record, args=(name,)) for name in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = desk.log()
    assert {f"{n}-{i}" for n in range(12) for i in range(10)} < {e.request_id for e in entries}
    assert [entry.number for entry in entries] == list(range(1, 122))
    assert problems(desk) == []


def test_recording_returns_when_the_entry_is_committed(
    desk: AccessDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for an entry that another thread appends together with its own."""
    desk.control.record(SERVED)
    take, append, missing = AuditLog._take, AuditLog._append, list[str]()

    def take_late(log: AuditLog) -> list[Any]:
        time.sleep(0.02)  # meanwhile others queue
        return take(log)

    def append_slowly(log: AuditLog, batch: list[Any]) -> None:
        time.sleep(0.05 if batch else 0)
        append(log, batch)

    monkeypatch.setattr(AuditLog, "_take", take_late)
    monkeypatch.setattr(AuditLog, "_append", append_slowly)

    def record(name: str) -> None:
        desk.control.record(replace(SERVED, request_id=name))
        if name not in {entry.request_id for entry in desk.log()}:
            missing.append(name)

    threads = [Thread(target=record, args=(f"r-{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == [] and len(desk.log()) == 13


RECORDER = """
import sys
from pathlib import Path
from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.settings import Settings
control = AccessControl(Installation(Settings(data=Path(sys.argv[1]))))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    control.record(AuditEntry("costs", Outcome.SERVED, request_id=f"{sys.argv[2]}-{number}"))
"""


def recorder(desk: AccessDesk, name: str) -> subprocess.Popen[str]:
    data = desk.installation.settings.data_folder
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(data), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_append_to_one_chain(desk: AccessDesk) -> None:
    """Also to a log that neither has created yet."""
    running = [recorder(desk, name) for name in ("a", "b")]
    for process in running:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    entries = desk.log()
    assert {e.request_id for e in entries} == {f"{p}-{n}" for p in "ab" for n in range(40)}
    assert [entry.number for entry in entries] == list(range(1, 81))
    assert problems(desk) == []
