"""`finops serve` as a process: start, health, slow clients, graceful end.

Put here: what needs real sockets and signals. Keep out: answers (test_api_answers.py), access
(test_api_access.py).
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from finops_pipeline.demo import api_lines
from finops_pipeline.errors import QueryStopped, SettingError
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.verified_access import Permission, Role
from finops_pipeline.serve.api import api_server
from finops_pipeline.serve.api.export_streams import ExportedRows
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.serve_process import ServeProcess, serve, serve_in_thread
from tests.support.served_tenants import give_token


@pytest.fixture(scope="module")
def data(built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with both tenants."""
    folder = tmp_path_factory.mktemp("serving") / "data"
    copy_installation(built.data, folder)
    return folder


@pytest.fixture(scope="module")
def token(data: Path) -> str:
    """A token of acme's analyst."""
    return give_token(TemporaryInstallation(data).installation, "acme/analyst", Role.ANALYST)


@pytest.fixture
def server(data: Path) -> Iterator[ServeProcess]:
    """A running server."""
    with serve(data) as server:
        yield server


def children(process: int) -> list[str]:
    """Ids of the processes that a process has started."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [child for thread in threads for child in (thread / "children").read_text().split()]


def serve_here(data: Path) -> AbstractContextManager[int]:
    """Serve in this process, whose limits a test can change; the value is the port."""
    return serve_in_thread(TemporaryInstallation(data).installation)


def test_a_server_answers_and_ends_with_its_workers(server: ServeProcess, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/readyz").text == "ready\n"
        assert client.get("/v1/tenants").json()["tenants"][0]["tenant"] == "acme"
        costs = client.get("/v1/tenants/acme/costs?start=2026-10&group_by=service")
        assert costs.status_code == 200
        assert "server" not in costs.headers
        export = client.get("/v1/tenants/acme/exports/monthly_costs")
        assert export.headers["transfer-encoding"] == "chunked"
        assert len(export.text.splitlines()) > 2
        document = client.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
    code, errors = server.stop()
    assert code == 0, errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"route": "/v1/tenants/{tenant}/costs", "status": 200, "tenant": "acme"}.items() <= next(
        line for line in lines if line["route"].endswith("/costs")
    ).items()


def test_running_answers_are_finished(server: ServeProcess, token: str) -> None:
    answers: list[int] = []
    sql = "select count(*) from range(40000) a, range(20000) b where a.range <> b.range"

    def ask() -> None:
        response = httpx.post(
            f"{server.url}/v1/tenants/acme/sql",
            json={"sql": sql},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        answers.append(response.status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + 30
    while not children(server.process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    code, errors = server.stop(signal.SIGINT)
    asking.join()
    assert (code, answers) == (0, [200]), errors


def test_a_head_that_never_ends_loses_its_connection(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_HEAD_SECONDS", 0.2)
    with serve_here(data) as port, socket.create_connection(("127.0.0.1", port), 10) as slow:
        slow.sendall(b"GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert slow.recv(100) == b""


def test_a_client_on_a_slow_line_gets_the_whole_answer(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_HEAD_SECONDS", 0.3)
    body = json.dumps({"sql": "select repeat('x', 1000) from range(8000)", "limit": 8000})
    head = (
        "POST /v1/tenants/acme/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with serve_here(data) as port, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.connect(("127.0.0.1", port))
        slow.settimeout(10)
        slow.sendall(head.encode())
        received = slow.recv(400_000)
        length = int(re.search(rb"content-length: (\d+)", received)[1])  # type: ignore[index]
        whole = received.index(b"\r\n\r\n") + 4 + length
        size = len(received)
        while size < whole and (part := slow.recv(400_000)):
            size += len(part)
            time.sleep(0.02)
    assert size == whole


def test_waiting_requests_of_a_tenant_delay_no_other(data: Path, token: str) -> None:
    """All turns of acme are taken, and a hundred requests wait for one."""
    other = give_token(TemporaryInstallation(data).installation, "globex/other", Role.VIEWER)
    slow = {"sql": "select count(*) from range(60000) a, range(40000) b where a.range <> b.range"}
    with serve_here(data) as port, ThreadPoolExecutor(100) as threads:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/v1", timeout=90) as client:

            def ask(_: int) -> int:
                path = f"http://127.0.0.1:{port}/v1/tenants/acme/sql"
                headers = {"Authorization": f"Bearer {token}"}
                return httpx.post(path, json=slow, headers=headers, timeout=90).status_code

            asked = [threads.submit(ask, number) for number in range(100)]
            time.sleep(1)
            started = time.monotonic()
            headers = {"Authorization": f"Bearer {other}"}
            assert client.get("/tenants/globex/projects", headers=headers).status_code == 200
            assert time.monotonic() - started < 15
        assert {response.result() for response in asked} == {200, 503}


def test_an_answer_does_not_wait_for_the_clients_acknowledgement() -> None:
    address = api_server.Address("127.0.0.1", 0)
    with api_server._listen(address) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()


def test_a_body_that_never_ends_is_answered(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_BODY_SECONDS", 0.2)
    with serve_here(data) as port, socket.create_connection(("127.0.0.1", port), 10) as slow:
        head = (
            "POST /v1/tenants/acme/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n{{"
        )
        slow.sendall(head.encode())
        assert slow.recv(10_000).startswith(b"HTTP/1.1 408")


def test_a_body_without_a_length_is_cut_at_its_limit(data: Path, token: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    with serve_here(data) as port:
        response = httpx.post(
            f"http://127.0.0.1:{port}/v1/tenants/acme/sql",
            content=endless(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
    assert response.status_code == 413


def ask_for_export(port: int, token: str, version: str = "1.1") -> socket.socket:
    """Send the request for an export; return the connection."""
    client = socket.create_connection(("127.0.0.1", port), 10)
    head = f"GET /v1/tenants/acme/exports/monthly_costs HTTP/{version}\r\nHost: x\r\n"
    client.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
    return client


def endings(data: Path, token: str) -> list[tuple[str, int | None, str]]:
    """Outcome, rows and detail of the audit log's entries about exports."""
    control = AccessControl(TemporaryInstallation(data).installation)
    access = control.authorize(control.authenticate_token(token), "acme", Permission.READ)
    entries = list(read_audit(control.store, access.tenant_id, AuditSelection()))
    control.close()
    return [(e.outcome, e.rows, e.detail) for e in entries if e.action == "export"]


def test_an_export_that_fails_is_not_taken_for_a_whole(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: ExportedRows, format: str) -> Iterator[bytes]:
        yield b"a,b\r\n"
        rows.count.rows += 7
        yield b"1,2\r\n"
        raise QueryStopped("the query was stopped")

    monkeypatch.setattr(ExportedRows, "portions", fail)
    with serve_here(data) as port, ask_for_export(port, token) as client:
        answer = b"".join(iter(lambda: client.recv(10_000), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"1,2" in answer
        assert not answer.endswith(b"0\r\n\r\n"), "the end of a complete answer"
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}/v1/tenants/acme/exports/monthly_costs"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url, headers=headers)
    assert endings(data, token)[-3:] == [
        ("served", None, "monthly_costs as csv, begun"),
        ("failed", None, "query-stopped"),
        ("served", 7, "monthly_costs as csv, ended early"),
    ]


def test_an_export_that_its_client_ends_is_recorded_with_its_rows(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(rows: ExportedRows, format: str) -> Iterator[bytes]:
        yield b"a,b\r\n"
        while True:
            rows.count.rows += 1
            yield b"x" * 100_000

    monkeypatch.setattr(ExportedRows, "portions", endless)
    with serve_here(data) as port, ask_for_export(port, token) as client:
        received = sum(len(client.recv(100_000)) for _ in range(20))
        client.close()
    outcome, rows, detail = endings(data, token)[-1]
    assert (outcome, detail) == ("served", "monthly_costs as csv, ended early")
    assert rows is not None and rows >= received // 100_000


def test_an_export_whose_grant_is_taken_meanwhile_is_recorded_with_its_rows(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = TemporaryInstallation(data).installation
    leaving = give_token(installation, "acme/leaving", Role.VIEWER)
    administration = AccessAdministration(AccessControl(installation), Actor.command_line())

    def take(rows: ExportedRows, format: str) -> Iterator[bytes]:
        yield b"a,b\r\n"
        administration.take("acme", "acme/leaving")
        rows.count.rows += 7
        yield b"1,2\r\n"

    monkeypatch.setattr(ExportedRows, "portions", take)
    with serve_here(data) as port:
        url = f"http://127.0.0.1:{port}/v1/tenants/acme/exports/monthly_costs"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url, headers={"Authorization": f"Bearer {leaving}"})
    ending = "monthly_costs as csv, stopped, because the access was revoked or changed"
    assert endings(data, token)[-1] == ("served", 0, ending)


def test_an_export_over_http_1_0_is_refused(data: Path, token: str) -> None:
    """There, an answer that ends early looks like a complete one."""
    with serve_here(data) as port, ask_for_export(port, token, "1.0") as client:
        answer = b"".join(iter(lambda: client.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 505")
    assert b"proxy_http_version 1.1;" in answer
    assert b"billing_period" not in answer


def test_a_client_that_takes_nothing_loses_its_export(
    data: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def endless(_: ExportedRows, format: str) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            ended.set()

    monkeypatch.setattr(ExportedRows, "portions", endless)
    monkeypatch.setattr(api_server, "_SEND_SECONDS", 0.2)
    with serve_here(data) as port, ask_for_export(port, token):
        assert ended.wait(30), "its worker is free for others"


def test_a_port_in_use_is_refused(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = TemporaryInstallation(data).finops("serve", "--port", str(port), ok=False)
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "Choose another one with --port." in done.stderr


def test_a_system_without_landlock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "is_available", lambda: False)
    with pytest.raises(SettingError, match="--allow-unconfined"):
        api_server.require_confinement(False)
    api_server.require_confinement(True)


def test_the_lines_that_the_demo_prints_work(data: Path, server: ServeProcess) -> None:
    """Each organisation's line answers for this organisation; lines of an earlier demo do not."""
    installation = TemporaryInstallation(data).installation
    tenants = [installation.registry.tenant(name) for name in ("acme", "globex")]
    earlier = api_lines(installation, tenants, server.url)
    answers = [ask_as_printed(line) for line in api_lines(installation, tenants, server.url)]
    assert [answer["tenant"] for answer in answers] == ["acme", "globex"]
    assert all(answer["rows"] for answer in answers)
    assert ask_as_printed(earlier[0])["status"] == 401


def ask_as_printed(line: str) -> dict[str, Any]:
    """Send the request of a line for curl."""
    program, option, header, url = shlex.split(line)
    assert (program, option) == ("curl", "-H")
    name, _, value = header.partition(": ")
    answer: dict[str, Any] = httpx.get(url, headers={name: value}).json()
    return answer
