"""Exports whose clients read slowly: they keep nobody waiting, and end when their access is taken.

Put here: real sockets that are read little by little. Keep out: what exports contain
(test_api_answers.py), failing exports (test_api_server.py).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api import export_endpoints
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.serve_process import serve_in_thread
from tests.support.served_tenants import give_token

ROWS = 16_000
LARGE = f"select repeat('x', 1000) as x from range({ROWS})"
STOPPED = "monthly_costs as csv, stopped, because the access was revoked or changed"
TENANTS = ("acme", "globex")


@dataclass(frozen=True)
class Served:
    """A served installation in which one query may run for each tenant."""

    installation: Installation
    port: int

    def token(self, name: str) -> str:
        """Create a viewer with a grant in its tenant; return its token."""
        return give_token(self.installation, name, Role.VIEWER)

    def get(self, path: str, token: str) -> httpx.Response:
        """Send a GET below /v1/tenants."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{self.port}/v1/tenants{path}", headers=headers)

    def begin_export(self, stack: ExitStack, tenant: str, token: str) -> socket.socket:
        """Ask for an export and take its first bytes."""
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        path = f"/v1/tenants/{tenant}/exports/monthly_costs"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        client.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        return client

    def endings(self, tenant_id: str) -> list[tuple[int | None, str]]:
        """Rows and detail of the audit log's entries about exports that have ended."""
        control = AccessControl(self.installation)
        entries = list(read_audit(control.store, tenant_id, AuditSelection()))
        control.close()
        exports = [e for e in entries if e.action == "export" and e.outcome == "served"]
        return [(e.rows, e.detail) for e in exports if not e.detail.endswith("begun")]


@pytest.fixture
def served(
    built: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    copy_installation(built.data, tmp_path / "data")
    bounds = {"serve_queries": 2, "serve_queries_per_tenant": 1, "serve_wait_seconds": 1.0}
    installation = Installation(Settings(data=tmp_path / "data", threads=1, **bounds))
    monkeypatch.setattr(export_endpoints, "table_sql", lambda *_, **__: (LARGE, {}))
    with serve_in_thread(installation) as port:
        yield Served(installation, port)


def read_rest(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1_000_000), b""))


def test_slow_readers_keep_nobody_waiting(served: Served) -> None:
    tokens = {name: served.token(name) for name in ("acme/one", "acme/two", "globex/one")}
    with ExitStack() as stack:
        slow = [
            served.begin_export(stack, name.partition("/")[0], token)
            for name, token in tokens.items()
            for _ in range(2)
        ]
        for name, token in tokens.items():
            response = served.get(f"/{name.partition('/')[0]}/projects", token)
            assert response.status_code == 200, "queries do not wait for slow readers"
        third = served.get("/acme/exports/monthly_costs", tokens["acme/one"])
        assert (third.status_code, third.headers["retry-after"]) == (503, "2")
        assert "each caller" in third.json()["expected"]
        other = served.get("/acme/exports/monthly_costs", served.token("acme/three"))
        assert other.status_code == 503, "the tenant has four exports"
        served.begin_export(stack, "globex", served.token("globex/two"))
        answers = [read_rest(client) for client in (slow[0], slow[-1])]
    for answer in answers:
        assert answer.endswith(b"0\r\n\r\n")
        assert answer.count(b"xxx\r\n") == ROWS


def revoke_token(served: Served, token: str) -> None:
    administration = TokenAdministration(AccessControl(served.installation), Actor.command_line())
    administration.revoke(token)


def take_grant(served: Served, _: str) -> None:
    administration = AccessAdministration(AccessControl(served.installation), Actor.command_line())
    administration.take("acme", "acme/leaving")


def limit_grant(served: Served, _: str) -> None:
    projects = sorted(p.name for p in served.installation.registry.projects("acme"))
    limited = NewGrant(Role.VIEWER, Limits(Extent.PROJECTS, (projects[0],)))
    administration = AccessAdministration(AccessControl(served.installation), Actor.command_line())
    administration.give("acme", "acme/leaving", limited)


def purge_and_declare_again(served: Served, _: str) -> None:
    data = served.installation.settings.data
    declared = served.installation.registry.tenant("acme")
    for command in ("remove", "purge"):
        assert finops("tenant", command, "acme", "--yes", "acme", data=data)[0] == 0
    served.installation.registry.save(declared.model_copy(update={"external_id": ""}))


@pytest.mark.parametrize("take", [revoke_token, take_grant, limit_grant, purge_and_declare_again])
def test_an_export_ends_when_its_access_is_taken(
    served: Served, take: Callable[[Served, str], None]
) -> None:
    """Before its next portion, so that the client sees it; that of globex goes on."""
    leaving, staying = served.token("acme/leaving"), served.token("globex/staying")
    identity = served.installation.registry.identity("acme")
    assert identity is not None
    with ExitStack() as stack:
        ending = served.begin_export(stack, "acme", leaving)
        complete = served.begin_export(stack, "globex", staying)
        take(served, leaving)
        cut, whole = read_rest(ending), read_rest(complete)
    assert not cut.endswith(b"0\r\n\r\n"), "the end of a complete answer"
    assert whole.endswith(b"0\r\n\r\n")
    rows = cut.count(b"xxx\r\n")
    assert rows < ROWS == whole.count(b"xxx\r\n")
    started = clock.stopwatch()
    while not (ended := served.endings(identity.external_id)):
        assert clock.stopwatch() - started < 20
        clock.pause(0.02)
    assert ended == [(rows, STOPPED)]
