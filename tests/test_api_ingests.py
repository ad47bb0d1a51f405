"""Requests for an ingest: `finops serve` carries them out in processes of its own.

Put here: asking, states, failures, ends of servers and processes. Keep out: who may ask
(test_api_access.py), other changes (test_api_declarations.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from finops_pipeline.application.ingest_requests import IngestRequests, RequestState
from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import TemporaryInstallation
from tests.support.example_declarations import administer
from tests.support.published_files import copy_installation
from tests.support.serve_process import ServeProcess, serve
from tests.support.served_tenants import give_token, serve_tenants

PATIENCE_SECONDS = 60


@pytest.fixture
def place(built: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """An installation with both tenants, whose bills have landed already."""
    copy_installation(built.data, tmp_path / "data")
    return TemporaryInstallation(tmp_path / "data")


def requests_of(place: TemporaryInstallation, tenant: str) -> IngestRequests:
    """The requests of a tenant."""
    return IngestRequests(administer(place.installation, tenant))


def ask(server: ServeProcess, token: str, method: str, path: str) -> httpx.Response:
    """Send a request with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{server.url}{path}", headers=headers, timeout=30)


def wait_for(server: ServeProcess, token: str, url: str) -> dict[str, Any]:
    """Ask for the state of a request until it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer: dict[str, Any] = ask(server, token, "GET", url).json()
        if answer["state"] in ("done", "failed"):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"the request did not end: {answer}")


def test_a_request_is_carried_out_and_shown(place: TemporaryInstallation) -> None:
    tokens = {t: give_token(place.installation, f"{t}/admin", Role.ADMIN) for t in
              ("acme", "globex")}  # fmt: skip
    source = next(s for s in place.installation.registry.tenant("globex").sources)
    place.finops(
        "source", "add", f"globex/{source.name}", "--location", str(place.data.parent / "nowhere")
    )
    with serve(place.data) as server:
        accepted = {t: ask(server, tokens[t], "POST", f"/v1/tenants/{t}/ingests") for t in tokens}
        for tenant, answer in accepted.items():
            assert answer.status_code == 202, answer.text
            assert answer.headers["location"] == answer.json()["status_url"]
            assert answer.json()["requested_by"] == f"{tenant}/admin"
        done = wait_for(server, tokens["acme"], accepted["acme"].headers["location"])
        failed = wait_for(server, tokens["globex"], accepted["globex"].headers["location"])
        listed = ask(server, tokens["acme"], "GET", "/v1/tenants/acme/ingests").json()["rows"]
        foreign = accepted["globex"].json()["id"]
        borrowed = ask(server, tokens["acme"], "GET", f"/v1/tenants/acme/ingests/{foreign}")
        unknown = ask(server, tokens["acme"], "GET", "/v1/tenants/acme/ingests/0000000000000000")
        code, errors = server.stop()
    assert (done["state"], done["failures"], done["attempts"]) == ("done", [], 1)
    assert sum(done["outcomes"].values()) > 5
    assert [row["id"] for row in listed] == [done["id"]]
    assert failed["state"] == "failed"
    assert {f["stage"] for f in failed["failures"]} == {"landing"}
    assert failed["failures"][0]["found"]
    assert str(place.data.parent) not in str(failed)
    assert borrowed.status_code == unknown.status_code == 422
    assert borrowed.json()["found"].replace(foreign, "0" * 16) == unknown.json()["found"]
    assert code == 0, errors
    quoted = failed["failures"][0]["found"]
    assert quoted not in errors, "it may repeat values of a bill"


def test_a_second_request_is_the_first_one_while_it_waits(place: TemporaryInstallation) -> None:
    with serve_tenants(place.data) as served:
        path = "/tenants/acme/ingests"
        first, second = (served.post(path, "acme-admin") for _ in range(2))
        assert first.json() == second.json()
        assert served.post("/tenants/globex/ingests", "globex-admin").json()["id"] not in first.text
        assert [r.state for r in requests_of(place, "acme").read_all()] == [RequestState.WAITING]
        printed = place.finops("ingest", "acme", "--requested").stdout
        assert printed.startswith("acme: the request of 20")
        assert served.get(f"{path}/{first.json()['id']}", "acme-admin").json()["state"] == "done"
        third = served.post(path, "acme-admin").json()
        assert third["id"] != first.json()["id"]
    assert requests_of(place, "globex").read_all()[0].state is RequestState.WAITING
    assert place.finops("ingest", "--requested").stdout.count("is done") == 2
    assert place.finops("ingest", "--requested").stdout == "nothing was requested\n"


def test_what_a_killed_process_left_is_carried_out_again(place: TemporaryInstallation) -> None:
    requests = requests_of(place, "acme")
    request = requests.ask("acme/admin")
    process = subprocess.Popen(
        [sys.executable, "-m", "finops_pipeline.cli", "ingest", "--requested"],
        env={**os.environ, "FINOPS_DATA": str(place.data)},
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while requests.find(request.id).state is not RequestState.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert requests.carry_out() == [], "the process does it"
    process.kill()
    process.wait()
    token = give_token(place.installation, "acme/admin", Role.ADMIN)
    with serve(place.data) as server:
        done = wait_for(server, token, f"/v1/tenants/acme/ingests/{request.id}")
    assert (done["state"], done["attempts"]) == ("done", 2)


def test_a_request_that_ends_its_process_again_and_again_is_given_up(
    place: TemporaryInstallation,
) -> None:
    requests = requests_of(place, "acme")
    request = requests.ask("acme/admin")
    for _ in range(5):
        requests._begin()
    place.finops("ingest", "--requested", ok=False)
    ended = requests.find(request.id)
    assert ended.state is RequestState.FAILED
    assert "ended 5 times" in ended.failures[0].found


def test_the_process_ends_with_the_server(place: TemporaryInstallation) -> None:
    requests = requests_of(place, "acme")
    request = requests.ask("acme/admin")
    with serve(place.data) as server:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while requests.find(request.id).state is not RequestState.RUNNING:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        started = time.monotonic()
        code, errors = server.stop(signal.SIGTERM)
        assert time.monotonic() - started < 20
    assert code == 0, errors
    state = requests.find(request.id).state
    time.sleep(0.5)
    assert requests.find(request.id).state is state, "nobody is working on it"
    with requests._file.carrying_out() as is_free:
        assert is_free


def test_requests_are_gone_with_their_tenant(place: TemporaryInstallation) -> None:
    requests = requests_of(place, "acme")
    requests.ask("acme/admin")
    kept = requests_of(place, "globex").ask("globex/admin")
    place.finops("tenant", "remove", "acme", "--yes", "acme")
    place.finops("tenant", "purge", "acme", "--yes", "acme")
    place.finops("tenant", "add", "acme")
    assert requests.read_all() == requests_of(place, "acme").read_all() == []
    assert requests_of(place, "globex").read_all() == [kept]


def test_damaged_requests_are_named_without_paths(place: TemporaryInstallation) -> None:
    requests_of(place, "acme").ask("acme/admin")
    with serve_tenants(place.data) as served:
        requests_of(place, "acme")._file.path.write_text('[{"id": "x"}]')
        for method in ("GET", "POST"):
            response = served.send(method, "/tenants/acme/ingests", "acme-admin")
            assert response.json()["type"] == "urn:finops:problem:data-unavailable"
            assert "requests" not in response.json()["found"]
        assert served.post("/tenants/globex/ingests", "globex-admin").status_code == 202


def test_damaged_requests_of_a_tenant_delay_nobody_else(place: TemporaryInstallation) -> None:
    """Neither in a server nor at the command line, which reports them at the end."""
    requests_of(place, "acme").ask("acme/admin")
    requests_of(place, "acme")._file.path.write_text('[{"id": "x"}]')
    waiting = requests_of(place, "globex").ask("globex/admin")
    token = give_token(place.installation, "globex/admin", Role.ADMIN)
    with serve(place.data) as server:
        done = wait_for(server, token, f"/v1/tenants/globex/ingests/{waiting.id}")
        code, errors = server.stop()
    assert done["state"] == "done"
    assert code == 0, errors
    requests_of(place, "globex").ask("globex/admin")
    carried_out = place.finops("ingest", "--requested", ok=False)
    assert carried_out.stdout.startswith("globex: the request of 20")
    assert "is done" in carried_out.stdout
    assert carried_out.stderr.startswith("finops: acme: the requests in ")
    assert "Delete the file" in carried_out.stderr
    assert "damaged" in place.finops("ingest", "acme", "--requested", ok=False).stderr
