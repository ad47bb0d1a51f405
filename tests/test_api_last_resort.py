"""What no endpoint answers: a defect of the server, too long a head, bytes that are no HTTP.

Put here: the answer, the log and that the server lives on, at real sockets. Keep out: slow clients
and bodies (test_api_server.py), refusals of endpoints (test_api_answers.py).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from finops_pipeline.log import configure_logging
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.answer_models import ProblemDetails
from finops_pipeline.serve.warehouse_pool import WarehousePool
from tests.support.generations import TENANTS, GenerationMaker
from tests.support.serve_process import serve_in_thread
from tests.support.served_tenants import give_token

MARKER, AMOUNT = "mk0123456789ab", "1234.56"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Listening:
    """A server in this process, and the token of a viewer of each tenant."""

    port: int
    tokens: dict[str, str]

    def get(self, path: str, tenant: str, **headers: str) -> httpx.Response:
        """Send a GET below /v1."""
        headers = {"Authorization": f"Bearer {self.tokens[tenant]}", **headers}
        return httpx.get(f"http://127.0.0.1:{self.port}/v1{path}", headers=headers)

    def send(self, data: bytes) -> bytes:
        """Send bytes; return everything that arrives until the server ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(100_000), b""))


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Both tenants are declared; neither has data, because no request gets that far."""
    maker = GenerationMaker(tmp_path_factory.mktemp("last-resort"))
    maker.declare()
    installation = maker.installation.installation
    tokens = {t: give_token(installation, f"{t}/viewer", Role.VIEWER) for t in TENANTS}
    with serve_in_thread(installation) as port:
        yield Listening(port, tokens)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_defect_shows_its_stack_to_the_log_and_nothing_to_the_caller(
    listening: Listening,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_format: str,
) -> None:
    def fail(pool: WarehousePool, scope: Any) -> str:
        raise ZeroDivisionError(f"{MARKER} of {scope.tenant} costs {AMOUNT}")

    configure_logging(log_format)
    with monkeypatch.context() as patch:
        patch.setattr(WarehousePool, "generation", fail)
        response = listening.get("/tenants/acme/costs", "acme")
    assert response.status_code == 500
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["cache-control"] == "private, no-store"
    problem = ProblemDetails.model_validate(response.json())
    assert problem.type == "urn:finops:problem:internal-error"
    assert problem.status == 500
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.cure
    for internal in ("ZeroDivision", "Traceback", ".py", "warehouse", MARKER, AMOUNT):
        assert internal not in response.text
    log = capsys.readouterr().err
    assert f"crashed: request {problem.request_id}" in log
    assert "ZeroDivisionError" in log
    assert "warehouse_pool" in log or "data_request.py" in log, "the stack"
    assert MARKER not in log
    assert AMOUNT not in log
    assert "globex" not in log
    assert "test_api_last_resort" in log, "where it was raised"
    assert listening.get("/tenants/globex/costs", "globex").status_code == 409, "no data yet"


def test_a_long_head_is_read_up_to_its_limit(listening: Listening) -> None:
    for path, headers in (
        (f"/tenants/acme/costs?service={'x' * 20_000}", {}),
        ("/me", {"X-Long": "x" * 20_000}),
    ):
        response = listening.get(path, "acme", **headers)
        assert response.status_code in (200, 409, 422)
    cut = listening.get(f"/tenants/{'x' * 20_000}/costs", "acme")
    assert cut.status_code == 404
    assert len(cut.content) < 2_000, "the name is not repeated"


LINE = b"GET /v1/tenants/acme/costs HTTP/1.1\r\nHost: x\r\n"
UNREADABLE = {
    "address": (431, b"GET /v1/" + b"x" * 400_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "header": (431, LINE + b"X-Long: " + b"x" * 400_000 + b"\r\n\r\n"),
    "headers": (431, LINE + b"".join(b"X-%d: x\r\n" % n for n in range(40_000)) + b"\r\n"),
    "encrypted": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "no HTTP": (400, b"SELECT * FROM costs;\r\n\r\n"),
    "two lengths": (400, LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "no host": (400, b"GET /v1/me HTTP/1.1\r\n\r\n"),
    "chunks": (400, b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
    "later chunks": (
        400,
        b"POST /v1/tenants/acme/costs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nZZ\r\n",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_ends_its_connection_with_a_problem(
    listening: Listening, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    configure_logging("text")
    status, data = UNREADABLE[name]
    head, _, body = listening.send(
        data.replace(b"TOKEN", listening.tokens["acme"].encode())
    ).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert headers["content-type"] == PROBLEM
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)
    problem = ProblemDetails.model_validate(json.loads(body))
    assert problem.status == status
    assert problem.request_id == headers["x-request-id"]
    assert "xxx" not in problem.detail
    assert listening.get("/me", "globex").status_code == 200
    assert "Traceback" not in capsys.readouterr().err


def test_an_answer_that_has_begun_is_not_mixed_with_a_problem(listening: Listening) -> None:
    """What follows a request on its connection is read after its answer."""
    token = listening.tokens["acme"].encode()
    first = b"GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
    received = listening.send(first + b"no HTTP at all\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 400 ") == 1
    assert received.index(b"acme/viewer") < received.index(b"HTTP/1.1 400 ")
