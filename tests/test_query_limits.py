"""A query ends within its limits of time, memory and size, and the next query answers.

Put here: limits of `finops query` and of the sandbox, and what the process of a query may do.
Keep out: SQL that tries to leave the tenant's folder (test_sandbox_attacks.py, test_isolation.py).
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.errors import QueryRefused, QueryStopped
from finops_pipeline.lake.duck import QueryLimits
from finops_pipeline.serve import landlock
from finops_pipeline.serve.frames import read_values
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from finops_pipeline.serve.worker_connection import WorkerConnection
from finops_pipeline.serve.worker_process import WorkerProcess
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.published_files import published_files
from tests.support.resource_bombs import bombs

BOMBS = bombs()
EVERY_DAY = {"levenshtein", "list_sort", "unions", "rows", "bytes"}
"""A function that takes time, one that takes memory, a plan, and answers that are too large."""
SECONDS, MEMORY_MB = 2, 512
ENDING_SECONDS = 20
"""Seconds that a busy machine may need to start a worker and to end it."""
PROCESS_MB = 150
"""The memory that a worker has before its first query."""

SMALL = {
    "FINOPS_QUERY_SECONDS": str(SECONDS),
    "FINOPS_QUERY_MEMORY": f"{MEMORY_MB}MB",
    "FINOPS_QUERY_CPU_SECONDS": "20",
    "FINOPS_QUERY_ROWS": "100000",
    "FINOPS_QUERY_BYTES": "50000000",
}

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def limits(**changes: Any) -> QueryLimits:
    small = QueryLimits(
        seconds=SECONDS,
        processor_seconds=20,
        memory=f"{MEMORY_MB}MB",
        threads=2,
        answer_rows=100_000,
        answer_bytes=50_000_000,
    )
    return replace(small, **changes)


@pytest.fixture(scope="module")
def both(built: TemporaryInstallation) -> Iterator[tuple[Sandbox, Sandbox]]:
    """Sandboxes of acme, which is attacked, and globex, which is not."""
    folder = built.installation.folder
    with (
        open_sandbox(folder("acme"), limits()) as acme,
        open_sandbox(folder("globex"), limits()) as globex,
    ):
        yield acme, globex


@pytest.mark.parametrize(
    "name",
    [
        name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.torture)
        for name in BOMBS
    ],
)
def test_a_bomb_ends_and_the_next_query_answers(
    both: tuple[Sandbox, Sandbox], name: str, request: pytest.FixtureRequest
) -> None:
    acme, _ = both
    before = [s.execute("select sum(billed_cost) from monthly_bill").fetchall() for s in both]
    process = acme.connection.worker.process_id
    with PeakMemory(process) as peak:
        started = time.monotonic()
        with pytest.raises((QueryRefused, duckdb.Error)) as stopped:
            acme.execute(BOMBS[name]).fetchall()
        seconds = time.monotonic() - started
    request.config.stash.setdefault(FIGURES, []).append(
        f"bomb {name}: {seconds:.1f} s, {peak.megabytes} MB, {stopped.value.args[0][:70]}"
    )
    assert seconds < SECONDS + ENDING_SECONDS
    assert peak.megabytes < MEMORY_MB + PROCESS_MB
    after = [s.execute("select sum(billed_cost) from monthly_bill").fetchall() for s in both]
    assert after == before


class PeakMemory:
    """The most memory that a process held, looked at many times a second."""

    def __init__(self, process: int) -> None:
        self.megabytes = 0
        self._status = Path(f"/proc/{process}/status")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.02):
            self._look()

    def _look(self) -> None:
        with suppress(OSError):
            lines = self._status.read_text(encoding="ascii").splitlines()
            peaks = [int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")]
            self.megabytes = max([self.megabytes, *peaks])


# ---- `finops query`


def start_query(made: TemporaryInstallation, *arguments: str) -> subprocess.Popen[str]:
    """Start `finops query` in a session of its own, which its worker belongs to, too."""
    return subprocess.Popen(
        [sys.executable, "-m", "finops_pipeline.cli", "query", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **SMALL, "FINOPS_DATA": str(made.data)},
        start_new_session=True,
    )


def session_members(session: int) -> list[int]:
    """Return the running processes of a session."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.name))
    return members


RAISED = {
    "charges": "FINOPS_QUERY_SECONDS=4",
    "list_sort": "FINOPS_QUERY_MEMORY=1024MB",
    "rows": "FINOPS_QUERY_ROWS=200000",
}
"""Bomb -> the setting that its message names. These run every day."""


@linux_only
@pytest.mark.parametrize(
    "name",
    [name if name in RAISED else pytest.param(name, marks=pytest.mark.torture) for name in BOMBS],
)
def test_finops_query_stops_a_bomb_and_leaves_nothing(
    built: TemporaryInstallation, tmp_path: Path, name: str
) -> None:
    sql, target = tmp_path / "bomb.sql", tmp_path / "answers" / "answer.csv"
    sql.write_text(BOMBS[name], encoding="utf-8")
    target.parent.mkdir()
    command = start_query(built, "acme", "-f", str(sql), "--format", "csv", "-o", str(target))
    out, error = command.communicate(timeout=SECONDS + 120)
    assert (command.returncode, out) == (1, "")
    assert error.startswith("finops: ") and error.count("\n") == 1, error
    if name in RAISED:
        assert error.endswith(f"set {RAISED[name]}.\n"), error
    assert session_members(command.pid) == []
    assert list(target.parent.iterdir()) == []
    for tenant in ("acme", "globex"):
        assert built.rows(tenant, "select count(*) > 0 as a from costs") == [{"a": True}]


def test_the_cure_of_a_stop_works_as_it_is_printed(
    built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINOPS_QUERY_ROWS", "8")
    sql = "select i from range(12) t(i)"
    refused = built.finops("query", "acme", sql, "--format", "json", ok=False)
    body = json.loads(refused.stderr)["error"]
    assert (body["type"], body["kind"]) == ("QueryStopped", "refused")
    assert body["found"] == "the answer has more than 8 rows"
    name, _, value = body["cure"].rpartition(" ")[2].partition("=")
    monkeypatch.setenv(name, value)
    assert len(built.rows("acme", sql)) == 12


def is_computing(session: int) -> bool:
    """Return whether a worker of the session has used more time than its start takes."""
    for member in set(session_members(session)) - {session}:
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) + int(fields[12]) > os.sysconf("SC_CLK_TCK"):
            return True
    return False


@linux_only
def test_a_query_ends_with_the_command_that_asked(
    built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends long before its own limit, although no process is left that could end it."""
    monkeypatch.setitem(SMALL, "FINOPS_QUERY_SECONDS", "600")
    monkeypatch.setitem(SMALL, "FINOPS_QUERY_CPU_SECONDS", "600")
    command = start_query(built, "acme", BOMBS["charges"], "--format", "csv")
    with command:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not is_computing(command.pid):
            time.sleep(0.02)
        assert is_computing(command.pid)
        command.kill()
        command.wait()
        while session_members(command.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert session_members(command.pid) == []


# ---- the process of a query


def worker_of(sandbox: Sandbox) -> int:
    return sandbox.connection.worker.process_id


@linux_only
def test_a_worker_has_no_environment_and_one_tenant(
    built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    monkeypatch.setenv("FINOPS_REGISTRY_URL", f"sqlite:///{built.data}/registry.sqlite")
    folder = built.installation.folder
    with open_sandbox(folder("acme"), limits()) as acme, open_sandbox(folder("globex"), limits()):
        process = worker_of(acme)
        environment = Path(f"/proc/{process}/environ").read_text()
        assert {entry.partition("=")[0] for entry in environment.split("\0")} <= {
            *("", "TZ", "LC_CTYPE", "LD_LIBRARY_PATH")
        }
        opened = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
        assert any(str(built.folder("acme")) in name for name in opened)
        assert not any("globex" in name or "ledger" in name for name in opened)
        granted = Path(f"/proc/{process}/limits").read_text()
        for name in ("Max core file size", "Max file size"):
            (line,) = (line for line in granted.splitlines() if line.startswith(name))
            assert line.split()[-3:-1] == ["0", "0"]
        assert worker_of(acme) == process, "the worker stays"
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.skipif(not landlock.is_available(), reason="this kernel has no Landlock")
def test_the_kernel_alone_keeps_a_worker_inside(built: TemporaryInstallation) -> None:
    """The guard is off, and so are the settings that confine DuckDB."""
    folder = built.installation.folder("acme")
    own, other = (published_files(built.folder(name), "costs")[0] for name in ("acme", "globex"))
    connection = WorkerConnection(WorkerProcess([folder.root], limits()))
    try:
        assert connection.execute(f"select count(*) > 0 from '{own}'").fetchall() == [(True,)]
        for sql in (
            f"from '{other}'",
            f"from read_blob('{built.folder('globex')}/ledger.sqlite')",
            f"attach '{built.folder('globex')}/globex.duckdb' as g (read_only)",
            f"from read_text('{built.data}/registry.sqlite')",
            "from read_text('/etc/passwd')",
            "from read_text('/proc/self/environ')",
            f"copy (select 1) to '{folder.root}/x.csv'",
            f"attach '{folder.root}/new.duckdb' as n",
            "copy (select 1) to '/tmp/x.csv'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(sql).fetchall()
        assert connection.execute(f"from glob('{built.folder('globex')}/*')").fetchall() == []
    finally:
        connection.close()


def test_a_worker_that_was_killed_is_replaced(both: tuple[Sandbox, Sandbox]) -> None:
    acme, _ = both
    os.kill(worker_of(acme), signal.SIGKILL)
    with pytest.raises(QueryStopped, match="SIGKILL"):
        acme.execute("select 1")
    assert acme.execute("select 1").fetchall() == [(1,)]


def test_values_arrive_as_duckdb_returns_them(both: tuple[Sandbox, Sandbox]) -> None:
    expressions = (
        "0.1::decimal(38,18), 123456789012345678.123456789012345678::decimal(38,18), 2::hugeint",
        "timestamptz '2020-01-01', timestamp '2020-01-01', date '2020-01-01', time '10:00:00'",
        "'a'::blob, 1.5::double, true, null, 'ü', '10:00:00+01'::timetz",
        "map {date '2020-01-01': 1.5}, {'a': [1, 2]}, [1, 2]::int[2], uuid '" + "0" * 32 + "'",
    )
    sql = f"select {', '.join(expressions)} from range(5000)"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        expected = connection.execute(sql).fetchall()
    assert both[0].execute(sql).fetchall() == expected
    assert both[0].execute(sql).fetchmany(2500) == expected[:2500]


def test_a_message_of_a_worker_holds_nothing_but_values() -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("true",)

    for message in (Hostile(), Path("x"), subprocess.Popen):
        with pytest.raises(pickle.UnpicklingError, match="not the class of a value"):
            read_values(pickle.dumps(message))
