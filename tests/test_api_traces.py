"""What a server leaves behind after hostile requests: its log, its metrics, its audit log.

Put here: a real process, and everything that it wrote. Keep out: single fields of the log
(test_api_access.py), what answers contain (test_api_isolation.py).
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import httpx
import pytest

from finops_pipeline.serve.access.audit_entries import AuditSelection, Outcome, StoredEntry
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import FIGURES
from tests.support.api_attack import OF_TENANT, READING, Attacker, HostileRequest
from tests.support.marked_tenants import (
    PROJECTS,
    TENANTS,
    MarkedTenants,
    make_marked_tenants,
)
from tests.support.serve_process import serve
from tests.support.served_tenants import give_token

REQUESTS = 250
"""Of each log format; half of them go to a tenant that the caller has no access to."""
LITERALS = ("zq-literal", "98765.4321", "zq_column", "zq-service", "zq-body")
"""Texts and amounts that a caller writes into SQL, names, addresses and bodies."""
ROLES = (Role.VIEWER, Role.ANALYST, Role.ADMIN)
READING_ACTIONS = frozenset(endpoint.action for endpoint in READING)


@dataclass(frozen=True)
class Traces:
    """What a server wrote while it answered, and what it had answered."""

    marked: MarkedTenants
    log_format: str
    tokens: dict[tuple[str, Role], str]
    log: str
    metrics: str
    answers: list[tuple[str, httpx.Response]]
    """Whose service asked, and the answer."""
    entries: list[StoredEntry] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The lines of the log."""
        return self.log.splitlines()

    @property
    def secrets(self) -> set[str]:
        """Everything that must be in no log and no metric, whoever asked."""
        amounts = {str(cost) for cost in self.marked.costs.values()}
        for tenant in TENANTS:
            amounts.add(str(self.marked.total(tenant, frozenset(PROJECTS))))
        data = str(self.marked.made.data)
        return {*self.marked.markers.values(), *self.tokens.values(), *amounts, *LITERALS, data}


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> MarkedTenants:
    """Both tenants."""
    return make_marked_tenants(tmp_path_factory.mktemp("traces"))


@pytest.fixture(scope="module", params=["json", "text"])
def traces(marked: MarkedTenants, request: pytest.FixtureRequest) -> Traces:
    """Send hostile requests as services of both tenants to a process; read all it has written."""
    installation, log_format = marked.made.installation, request.param
    tokens = {
        (tenant, role): give_token(installation, f"{tenant}/{role}-{log_format}", role)
        for tenant in TENANTS
        for role in ROLES
    }
    settings = {
        "FINOPS_LOG_FORMAT": log_format,
        "FINOPS_SERVE_REQUESTS_PER_MINUTE": "1000000",
        "FINOPS_SERVE_REQUESTS_PER_MINUTE_PER_TENANT": "1000000",
    }
    answers = []
    with serve(marked.made.data, **settings) as server:
        with httpx.Client(base_url=f"{server.url}/v1", timeout=60) as client:
            for tenant, hostile, token in hostile_requests(marked, tokens):
                headers = {**hostile.headers, "Authorization": f"Bearer {token}"}
                response = client.request(
                    hostile.method, hostile.path, headers=headers, json=hostile.body
                )
                answers.append((tenant, response))
        metrics = httpx.get(f"{server.url}/metrics").text
        code, log = server.stop()
    assert code == 0, log
    entries = list(audit_entries(marked, {r.headers["x-request-id"] for _, r in answers}))
    return Traces(marked, log_format, tokens, log, metrics, answers, entries)


def hostile_requests(
    marked: MarkedTenants, tokens: dict[tuple[str, Role], str]
) -> Iterator[tuple[str, HostileRequest, str]]:
    """Yield whose service asks, what, and its token."""
    rng = random.Random(14)
    services = [*tokens]
    for number in range(REQUESTS):
        tenant, role = rng.choice(services)
        target = rng.choice(TENANTS)
        attacker = Attacker(rng, rng.choice([*marked.markers.values()]))
        hostile = attacker.choose(target)
        # Ids of callers' own are in the log because they wrote them; these tell requests apart.
        headers = {k: v for k, v in hostile.headers.items() if k != "X-Request-Id"}
        yield (
            tenant,
            HostileRequest(hostile.method, hostile.path, headers, hostile.body),
            tokens[tenant, role],
        )
        if number % 10 == 0:
            for own in with_literals(target):
                yield tenant, own, tokens[tenant, role]


def with_literals(tenant: str) -> list[HostileRequest]:
    """Return requests that have the literals in every place that a caller can write to."""
    text, amount, column, service, body = LITERALS
    sql = f"select '{text}' as {column}, {amount} as cost from costs where ServiceName = '{text}'"
    path = f"/tenants/{tenant}"
    return [
        HostileRequest("POST", f"{path}/sql", body={"sql": sql}),
        HostileRequest("POST", f"{path}/sql", body={"sql": f"drop table {column}; {amount}"}),
        HostileRequest("GET", f"{path}/costs?service={service}&last=6+months"),
        HostileRequest("POST", f"{path}/costs", body={"last": body, "group_by": [body]}),
        HostileRequest("GET", f"/tenants/{text}/costs"),
        HostileRequest("GET", f"{path}/exports/{text}?start={amount}"),
        HostileRequest("GET", f"/{text}/{amount}"),
    ]


def audit_entries(marked: MarkedTenants, request_ids: set[str]) -> Iterator[StoredEntry]:
    """Yield the entries of these requests, from the logs of both tenants and the installation."""
    installation = marked.made.installation
    control = AccessControl(installation)
    owners = [*(installation.registry.tenant(tenant).external_id for tenant in TENANTS), ""]
    for tenant_id in owners:
        for entry in read_audit(control.store, tenant_id, AuditSelection()):
            if entry.request_id in request_ids:
                yield entry
    control.close()


def test_no_secret_is_in_the_log(traces: Traces) -> None:
    assert len(traces.lines) >= len(traces.answers)
    for line in traces.lines:
        assert not [secret for secret in traces.secrets if secret in line], line
        if "request_id" in line:
            assert "/v1/" not in line.replace("/v1/tenants/{tenant}", "").replace("/v1/me", ""), (
                line
            )


def test_a_line_names_no_tenant_but_the_one_that_its_caller_may_see(traces: Traces) -> None:
    askers = {r.headers["x-request-id"]: tenant for tenant, r in traces.answers}
    seen = Counter[str]()
    for line in traces.lines:
        named = {tenant for tenant in TENANTS if tenant in line}
        (request_id,) = [each for each in askers if each in line] or [""]
        assert named <= {askers.get(request_id, "")}, line
        seen.update(named)
    assert set(seen) == {*TENANTS}, "otherwise nothing was tried"


def test_each_request_has_a_line(traces: Traces) -> None:
    for _, response in traces.answers:
        request_id = response.headers["x-request-id"]
        (line,) = [line for line in traces.lines if request_id in line]
        if traces.log_format == "json":
            fields = json.loads(line)
            assert fields["status"] == response.status_code
        else:
            assert f"status={response.status_code}" in line


def test_metrics_name_nobody_and_nothing(traces: Traces) -> None:
    text = traces.metrics
    assert 'route="/v1/tenants/{tenant}/costs"' in text
    names = {*TENANTS, *(f'"{project}"' for project in PROJECTS), *PROJECTS.values(), "AmazonEC2"}
    assert not [each for each in {*traces.secrets, *names} if each in text]
    counted = [line for line in text.splitlines() if line.startswith("finops_http_requests_total{")]
    total = sum(Decimal(line.rpartition(" ")[2]) for line in counted)
    assert total == len(traces.answers)
    routes = {f'route="/v1{endpoint.path}"' for endpoint in OF_TENANT} | {'route="(no route)"'}
    assert all(any(route in line for route in routes) for line in counted), counted


def test_the_audit_log_has_an_entry_for_each_access(
    traces: Traces, request: pytest.FixtureRequest
) -> None:
    of_request: dict[str, list[StoredEntry]] = defaultdict(list)
    for entry in traces.entries:
        of_request[entry.request_id].append(entry)
    accesses = 0
    for tenant, response in traces.answers:
        entries = of_request[response.headers["x-request-id"]]
        served = [entry for entry in entries if entry.outcome == Outcome.SERVED]
        path = response.request.url.path.split("/")
        is_of_tenant = path[2:4] == ["tenants", tenant] and len(path) > 4
        if (
            response.status_code in (200, 304)
            and is_of_tenant
            and response.request.method != "HEAD"
        ):
            is_export = path[4] == "exports" and len(path) > 5
            assert len(served) == 1 + is_export, (str(response.request.url), entries)
            assert {entry.tenant for entry in entries} == {tenant}
            accesses += 1
        else:
            assert not served, (str(response.request.url), response.status_code, entries)
    assert accesses >= 50
    of_tenants = [entry for entry in traces.entries if entry.tenant_id]
    revealing = [
        e for e in of_tenants if any(s in f"{e.detail} {e.action}" for s in traces.secrets)
    ]
    assert not revealing
    figures = (
        f"traces ({traces.log_format}): {len(traces.answers)} requests, {len(traces.lines)} lines,"
        f" {accesses} accesses, each with its entry in the audit log"
    )
    request.config.stash.setdefault(FIGURES, []).append(figures)
