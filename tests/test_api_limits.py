"""Requests at the edges of what the API accepts, and the bounds of what it gives out.

Put here: values that are almost well formed, answers that are too large, callers that ask too much.
Keep out: what ordinary answers contain (test_api_answers.py), who may ask (test_api_access.py).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from finops_pipeline import clock
from finops_pipeline.errors import GrantRefused, NotAuthenticated, QueryStopped
from finops_pipeline.serve import frames, worker_process
from finops_pipeline.serve.access import refused_tokens
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.principals import PrincipalState
from finops_pipeline.serve.access.token_administration import TokenAdministration
from finops_pipeline.serve.access.tokens import PREFIX_LENGTH
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.cost_endpoints import MOST_ANSWER_CHARACTERS
from finops_pipeline.serve.api.rate_limiter import RateLimiter
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.frames import MESSAGE_BYTES, ROWS_BYTES
from finops_pipeline.serve.questions.cost_answer import CostAnswer, CostAsker
from finops_pipeline.serve.questions.question import Filter, Question
from finops_pipeline.serve.warehouse_pool import PoolLimits, WarehousePool
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, give_token, serve_tenants

QUERY_BYTES = 100_000_000
ARABIC_MONTH = "٢٠٢٦-10"
MONTHLY = (
    "/drivers", "/data-transfer", "/tag-coverage", "/required-tag-coverage", "/status",
    "/exports/monthly_costs",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served by one process."""
    data = tmp_path_factory.mktemp("limits") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000, query_bytes=QUERY_BYTES) as served:
        yield served


@pytest.mark.parametrize("path", MONTHLY)
@pytest.mark.parametrize("month", ["0000-01", "1999-12", "2100-01", "9999-12", ARABIC_MONTH])
def test_a_month_that_cannot_be_is_refused(served: ServedTenants, path: str, month: str) -> None:
    assert served.get(f"/tenants/acme{path}?start=2026-10&end=2026-10").status_code == 200
    for name in ("start", "end"):
        response = served.get(f"/tenants/acme{path}", params={name: month})
        assert response.status_code == 422, response.text
        assert response.json()["type"] == "urn:finops:problem:invalid-request"
    assert "10000" not in response.text


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"after": 2**63}, 422),
        ({"after": 2**63 - 1}, 200),
        ({"since": "٢٠٢٦-10-01"}, 422),
        ({"until": "2026-13-01"}, 422),
        ({"since": "2026-10-01T00:00:00"}, 200),
    ],
)
def test_the_audit_log_takes_numbers_and_times_that_can_be(
    served: ServedTenants, values: dict[str, str], status: int
) -> None:
    response = served.get("/tenants/acme/audit", "acme-admin", params=values)
    assert response.status_code == status, response.text


@pytest.mark.parametrize(
    "value",
    ["repeat('x', 30000)", "[repeat('x', 30000)]", "{'a': repeat('x', 30000)}",
     "repeat('x', 15000)::blob"],
)  # fmt: skip
def test_an_answer_to_sql_is_cut_before_it_is_too_large(served: ServedTenants, value: str) -> None:
    sql = f"select i, {value} as v from range(1000) t(i)"
    answer = served.post("/tenants/acme/sql", json={"sql": sql, "limit": 10_000}).json()
    rows = answer["rows"]
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert 0.9 * MOST_ANSWER_CHARACTERS < len(rows) * 30_000 < MOST_ANSWER_CHARACTERS
    assert answer["truncated"] is True
    assert f"cut after {len(rows)} rows" in answer["notes"][0]


def test_the_bytes_of_a_statement_add_up(served: ServedTenants) -> None:
    """Over all messages with its rows; the limit is FINOPS_QUERY_BYTES."""
    sql = "select repeat('x', 15000) from range(8000)"
    with served.services.pool.open(DataScope("acme")) as warehouse:
        connection = warehouse.sandbox.execute(sql)
        assert len(connection.fetchmany(4000)) == 4000
        with pytest.raises(QueryStopped, match=f"more than {QUERY_BYTES} bytes"):
            connection.fetchall()


def test_a_message_from_a_query_has_a_bound(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However wide its rows are; a narrow answer has as few messages as ever."""
    sizes: list[int] = []

    def receive_size(channel: socket.socket) -> int:
        sizes.append(frames.receive_size(channel))
        return sizes[-1]

    monkeypatch.setattr(worker_process, "receive_size", receive_size)
    wide = "select i, repeat('x', if(i = 777, 7000000, 15000)) as v from range(3000) t(i)"
    with served.services.pool.open(DataScope("acme")) as warehouse:
        connection = warehouse.sandbox.execute(wide)
        assert [row[0] for row in connection.fetchall()] == list(range(3000))
        assert max(sizes) <= ROWS_BYTES + 1000 and sum(sizes) > 50_000_000
        with pa.ipc.open_stream(connection.arrow_stream(wide)) as reader:
            assert reader.read_all()["i"].to_pylist() == list(range(3000))
        assert max(sizes) <= MESSAGE_BYTES
        sizes.clear()
        assert len(warehouse.sandbox.execute("from range(5000)").fetchall()) == 5000
        assert len(sizes) == 4  # the guard's and three of rows


def test_a_row_that_fits_into_no_message_is_refused(served: ServedTenants) -> None:
    value = "repeat('x', 20000000)"
    response = served.post("/tenants/acme/sql", json={"sql": f"select 1, {value}"})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:finops:problem:query-stopped"
    assert response.json()["found"] == f"a row of the answer has more than {MESSAGE_BYTES} bytes"
    for tenant in TENANTS:
        assert served.get(f"/tenants/{tenant}/projects", tenant).status_code == 200


def test_long_questions_take_no_memory(served: ServedTenants) -> None:
    """Their filters count: a bound of the answers' memory is a bound of its keys', too."""
    tenant = served.installation.registry.tenant("acme")
    one = Filter(field="project", values=(tenant.all_projects[0].name,) * 100)
    short, long, endless = (Question(filters=(one,) * count) for count in (1, 4, 20))
    pool = WarehousePool(served.installation, PoolLimits(answer_bytes=60_000))
    with closing(pool), pool.open(DataScope("acme")) as opened:
        ask = opened.asker.ask
        assert ask(short) is ask(short)
        assert ask(long) is not ask(long)
    with served.services.pool.open(DataScope("acme")) as opened:
        assert opened.asker.ask(long) is opened.asker.ask(long)
        assert opened.asker.ask(endless) is not opened.asker.ask(endless)


def refusals(control: AccessControl) -> list[str]:
    """What the installation's log says about tokens that were refused."""
    entries = read_audit(control.store, "", AuditSelection())
    return [entry.detail for entry in entries if entry.action == "authenticate"]


def test_a_revoked_token_cannot_fill_the_audit_log(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = served.services.access
    revoked = [give_token(served.installation, f"{t}/gone", Role.VIEWER) for t in TENANTS]
    for token in revoked:
        TokenAdministration(control, Actor.command_line()).revoke(token)
    before = len(refusals(control))
    object.__setattr__(served.services, "token_limiter", RateLimiter(5))
    try:
        statuses = [served.get("/me", revoked[0]).status_code for _ in range(10)]
        assert statuses == [401] * 5 + [429] * 5
        others = revoked[0][:PREFIX_LENGTH] + "A" * (len(revoked[0]) - PREFIX_LENGTH)
        assert served.get("/me", others).status_code == 401, "each token has a bucket of its own"
        assert served.get("/me", revoked[1]).status_code == 401
        first, second = [f"the token {token[:PREFIX_LENGTH]}… is revoked" for token in revoked]
        assert refusals(control)[before:] == [first, second]
        monkeypatch.setattr(refused_tokens, "ENTRY_SECONDS", 0.0)  # the minute is over
        assert served.get("/me").status_code == 200
        left_out = f"{first}; 4 further requests were refused after this one"
        assert refusals(control)[before:] == [first, second, left_out]
    finally:
        object.__setattr__(served.services, "token_limiter", RateLimiter(100_000))


def test_refusals_that_were_left_out_are_recorded_when_the_server_ends(
    served: ServedTenants,
) -> None:
    control = AccessControl(served.installation)
    revoked = give_token(served.installation, "acme/gone", Role.VIEWER)
    TokenAdministration(control, Actor.command_line()).revoke(revoked)
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            control.authenticate_token(revoked)
    control.close()
    assert refusals(control)[-1].endswith("; 2 further requests were refused after this one")


def test_all_callers_of_a_tenant_share_its_requests(served: ServedTenants) -> None:
    """Of no other tenant's: who asks for a foreign tenant uses up his own."""
    object.__setattr__(served.services, "tenant_limiter", RateLimiter(3))
    try:
        assert served.get("/tenants/acme/projects", "globex").status_code == 404
        assert served.get("/me").status_code == 200
        assert served.get("/tenants/acme/projects", "acme-viewer").status_code == 200
        assert served.get("/tenants/acme/projects", "acme-admin").status_code == 200
        for token in ("acme", "acme-viewer", "acme-admin"):
            refused = served.get("/tenants/acme/projects", token)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) in range(1, 21)
        assert "all callers of this tenant together" in refused.json()["found"]
        assert served.get("/tenants/globex/projects", "globex").status_code == 200
    finally:
        object.__setattr__(served.services, "tenant_limiter", RateLimiter(100_000))


def test_a_tenant_has_so_many_services_and_tokens(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tenant's do not count, nor those that are disabled or revoked."""
    control = served.services.access
    access, tokens = AccessAdministration(control, Actor.command_line()), "/tenants/acme/tokens"
    own = [p for p in access.principals() if p.full_name.owner == "acme" and p.is_active]
    valid = TokenAdministration(control, Actor.command_line()).tokens()
    count = sum(t.principal.startswith("acme/") and t.state == "active" for t in valid)
    bounds = {"tenant_services": len(own) + 1, "tenant_tokens": count + 2}
    bounded = served.installation.settings.model_copy(update=bounds)
    monkeypatch.setattr(served.installation, "settings", bounded)
    access = AccessAdministration(control, Actor.command_line())

    def create(name: str, tenant: str = "acme") -> tuple[int, dict[str, Any]]:
        asked = {"principal": f"{tenant}/{name}", "role": "viewer"}
        response = served.post(f"/tenants/{tenant}/tokens", f"{tenant}-admin", json=asked)
        return response.status_code, response.json()

    assert create("last")[0] == 201
    status, problem = create("one-more")
    assert (status, problem["type"]) == (422, "urn:finops:problem:change-refused")
    assert problem["found"] == f"tenant acme has {len(own) + 1} active services already"
    assert create("one-more", "globex")[0] == 201
    with pytest.raises(GrantRefused, match="FINOPS_TENANT_SERVICES"):
        access.add_principal("acme/one-more")
    access.set_state("acme/last", PrincipalState.DISABLED)
    assert create("one-more")[0] == 201
    with pytest.raises(GrantRefused, match="Disable services"):
        access.set_state("acme/last", PrincipalState.ACTIVE)
    status, problem = create("one-more")
    assert problem["found"] == f"the services of tenant acme have {count + 2} valid tokens already"
    rows = served.get(tokens, "acme-admin").json()["rows"]
    prefix = next(row["prefix"] for row in rows if row["principal"] == "acme/one-more")
    assert served.send("DELETE", f"{tokens}/{prefix}", "acme-admin").status_code == 204
    assert create("one-more")[0] == 201


def test_an_answer_from_before_midnight_is_not_unchanged_on_the_next_day(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = CostAsker.ask
    tomorrow = clock.now() + timedelta(days=1)

    def ask_until_midnight(asker: CostAsker, *question: Any) -> CostAnswer:
        answer = ask(asker, *question)
        monkeypatch.setattr(clock, "now", lambda: tomorrow)
        return answer

    monkeypatch.setattr(CostAsker, "ask", ask_until_midnight)
    path = "/tenants/acme/costs?last=1+day"
    first = served.get(path)
    second = served.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["period"] != second.json()["period"]
