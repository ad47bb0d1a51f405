"""Nobody gets through the API what is another tenant's or outside of their grant.

Put here: a state machine of principals, grants, tokens and hostile requests on two tenants that
look alike. Keep out: choosing the requests (support/api_attack.py), single rules
(test_api_access.py).

After each request: no marker of a project outside the grant and no token is in the status, headers
or body; a tenant without a grant is answered like one that does not exist; sums are those of the
grant; the server never fails.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Permission, Role
from tests.conftest import FIGURES
from tests.support.api_attack import (
    UNKNOWN_TENANT,
    Attacker,
    HostileRequest,
    needed_for,
    text_of,
)
from tests.support.marked_tenants import (
    PROJECTS,
    TENANTS,
    MarkedTenants,
    make_marked_tenants,
)
from tests.support.served_tenants import ServedTenants, serve_tenants

EXAMPLES, STEPS, REQUESTS = 30, 25, 10
"""State machines, steps of each, and requests of a step that asks."""
TORTURE_EXAMPLES, TORTURE_STEPS = 120, 40
PEOPLE = ("one", "two", "three")
tenants = st.sampled_from(TENANTS)
people = st.sampled_from(PEOPLE)
seeds = st.integers(0, 2**32)
roles = st.sampled_from([*Role])
some_projects = st.sets(st.sampled_from([*PROJECTS]))


@dataclass(frozen=True)
class Held:
    """What a principal has in a tenant."""

    role: Role
    projects: frozenset[str]
    is_limited: bool

    @property
    def may_query(self) -> bool:
        """Whether the role permits SQL."""
        return Permission.QUERY in self.role.permissions


Owner = tuple[str, str, Held | None]
"""A principal, a tenant, and what the principal has there."""


@dataclass
class Battlefield:
    """The served tenants, and what all state machines of a test have seen of them."""

    marked: MarkedTenants
    served: ServedTenants
    requests: int = 0
    answered: int = 0
    machines: int = 0
    tokens: list[str] = field(default_factory=list)
    addresses: list[tuple[str, Owner]] = field(default_factory=list)
    tags: list[tuple[str, str, Owner]] = field(default_factory=list)
    """Pages with a cursor, and entity tags with their paths, and who got them."""


@pytest.fixture(scope="module")
def battlefield(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Battlefield]:
    """Both tenants, served; no test reaches a limit of requests, or of waiting on a busy machine.

    A request that waits for the file of some projects is refused after five seconds otherwise.
    """
    marked = make_marked_tenants(tmp_path_factory.mktemp("marked"))
    patient = {"serve_requests_per_minute": 10**6, "serve_wait_seconds": 120}
    with serve_tenants(marked.made.data, **patient) as served:
        yield Battlefield(marked, served, tokens=list(served.tokens.values()))


class Intruders(RuleBasedStateMachine):
    """Principals whose grants come and go, and who ask for everything."""

    field: Battlefield

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        """Create principals that no earlier state machine has used, with a token and grants."""
        self.field.machines += 1
        control = AccessControl(self.field.served.installation)
        self._access = AccessAdministration(control, Actor.command_line())
        self._tokens = TokenAdministration(control, Actor.command_line())
        self._held: dict[tuple[str, str], Held] = {}
        self._token: dict[str, str] = {}
        self._revoked: list[str] = []
        for person in PEOPLE:
            self._access.add_principal(self._name(person))
            self._create_token(person)
        rng = random.Random(seed)
        for person in PEOPLE:
            for tenant in TENANTS:
                if rng.random() < 0.5:
                    projects = set(rng.sample([*PROJECTS], rng.randrange(3)))
                    self._give(person, tenant, rng.choice([*Role]), projects)

    def _name(self, person: str) -> str:
        return f"{person}-{self.field.machines}"

    def _create_token(self, person: str) -> None:
        created = self._tokens.create(TokenRequest(self._name(person)))
        self._token[person] = created.text
        self.field.tokens.append(created.text)

    @rule(person=people, tenant=tenants, role=roles, projects=some_projects)
    def give(self, person: str, tenant: str, role: Role, projects: set[str]) -> None:
        """Give a grant of the tenant, or of some projects."""
        self._give(person, tenant, role, projects)

    def _give(self, person: str, tenant: str, role: Role, projects: set[str]) -> None:
        limits = Limits(Extent.PROJECTS, tuple(sorted(projects))) if projects else Limits()
        is_limited = bool(projects)
        try:
            self._access.give(tenant, self._name(person), NewGrant(role, limits))
        except Exception as error:  # an administrator has the whole tenant
            assert is_limited and role is Role.ADMIN, error
            return
        held = Held(role, frozenset(projects or PROJECTS), is_limited)
        self._held[person, tenant] = held

    @rule(person=people, tenant=tenants)
    def take(self, person: str, tenant: str) -> None:
        """Take a grant away, if there is one: it must not outlive this for a single request."""
        if (person, tenant) in self._held:
            self._ask_plainly(person, tenant)
            del self._held[person, tenant]
            self._access.take(tenant, self._name(person))
            self._ask_plainly(person, tenant)

    @rule(person=people)
    def replace_token(self, person: str) -> None:
        """Revoke a token, and create another."""
        self._tokens.revoke(self._token[person])
        self._revoked.append(self._token[person])
        self._create_token(person)

    @rule(person=people, tenant=tenants, seed=seeds)
    def ask(self, person: str, tenant: str, seed: int) -> None:
        """Send requests to the addresses of a tenant."""
        rng = random.Random(seed)
        marker = rng.choice([*self.field.marked.markers.values()])
        attacker = Attacker(rng, marker)
        for _ in range(REQUESTS):
            request = attacker.choose(tenant)
            response = self._send(person, request)
            self._check(person, tenant, request, response)
            owner = (self._name(person), tenant, self._held.get((person, tenant)))
            self._remember(request, response, owner)

    @rule(person=people, tenant=tenants, seed=seeds)
    def replay(self, person: str, tenant: str, seed: int) -> None:
        """Use cursors and entity tags that somebody was given, in one's own tenant, too."""
        rng = random.Random(seed)
        own_place = (self._name(person), tenant, self._held.get((person, tenant)))
        for path, owner in rng.sample(self.field.addresses, min(3, len(self.field.addresses))):
            own = self._elsewhere(path, tenant)
            response = self._send(person, own)
            self._check(person, tenant, own, response)
            assert owner == own_place or response.status_code != 200, own
        for path, tag, owner in rng.sample(self.field.tags, min(3, len(self.field.tags))):
            own = self._elsewhere(path, tenant)
            request = HostileRequest("GET", own.path, {"If-None-Match": tag})
            response = self._send(person, request)
            self._check(person, tenant, request, response)
            assert owner == own_place or response.status_code != 304, request

    @rule(person=people, tenant=tenants, seed=seeds)
    def compare_sums(self, person: str, tenant: str, seed: int) -> None:
        """Sums are those of the grant, in every mart that has costs of projects."""
        held = self._held.get((person, tenant))
        if not held:
            return
        expected = self.field.marked.total(tenant, held.projects)
        for table, column in (("monthly_costs", "billed_cost"), ("costs", "BilledCost")):
            if not held.may_query:
                break
            body = {"sql": f"select sum({column}) as total from {table}"}
            request = HostileRequest("POST", f"/tenants/{tenant}/sql", body=body)
            response = self._send(person, request)
            assert response.status_code == 200, response.text
            assert Decimal(str(response.json()["rows"][0][0])) == expected, table
        question = "?start=2026-09&end=2026-10&basis=billed&group_by=project"
        request = HostileRequest("GET", f"/tenants/{tenant}/costs{question}")
        response = self._send(person, request)
        self._check(person, tenant, request, response)
        assert response.status_code == 200, response.text
        rows = response.json()["rows"]
        assert {row["project"] for row in rows} == held.projects
        assert sum(Decimal(row["billed_cost"]) for row in rows) == expected

    @rule(seed=seeds)
    def use_revoked_tokens(self, seed: int) -> None:
        """A token that was revoked is worth nothing, and neither is one that is nearly right."""
        alive = random.Random(seed).choice([*self._token.values()])
        tampered = [alive[:-1], alive + "A", alive.swapcase(), alive[:12] + "A" * (len(alive) - 12)]
        for token in [*self._revoked[-2:], *tampered]:
            response = self.field.served.send("GET", "/tenants", token)
            assert response.status_code == 401, response.text

    @staticmethod
    def _elsewhere(path: str, tenant: str) -> HostileRequest:
        parts = path.split("/")
        parts[2] = tenant
        return HostileRequest("GET", "/".join(parts))

    def _ask_plainly(self, person: str, tenant: str) -> None:
        request = HostileRequest("GET", f"/tenants/{tenant}/costs?last=6+months&group_by=service")
        self._check(person, tenant, request, self._send(person, request))

    def _send(self, person: str, request: HostileRequest) -> httpx.Response:
        options: dict[str, Any] = {"headers": request.headers}
        if request.body is not None:
            options["json"] = request.body
        self.field.requests += 1
        return self.field.served.send(request.method, request.path, self._token[person], **options)

    def _check(
        self, person: str, tenant: str, request: HostileRequest, response: httpx.Response
    ) -> None:
        """Check a response: nothing foreign, no failure, and no sign of a foreign tenant.

        A client resolves `..` before it sends a path, so the tenant is that of the address sent.
        """
        addressed = response.request.url.path.split("/")[3:4]
        tenant = addressed[0] if addressed and addressed[0] in TENANTS else tenant
        held = self._held.get((person, tenant))
        is_served = response.status_code < 400
        self.field.answered += is_served and held is not None
        assert response.status_code < 500, (request, response.text)
        assert held or not is_served, (request, response.text)
        needed = needed_for(response.request.url.path)
        assert not is_served or not held or needed in held.role.permissions, (
            request,
            response.text,
        )
        text = text_of(response)
        projects = held.projects if held else frozenset()
        for marker in self.field.marked.forbidden(tenant, projects):
            assert marker not in text or marker in request.text, (person, held, request, text)
        for token in self.field.tokens:
            assert token not in text, request
        assert str(self.field.marked.made.data) not in text, request
        if not held and request.path.startswith(f"/tenants/{tenant}/"):
            unknown = request.path.replace(f"/tenants/{tenant}/", f"/tenants/{UNKNOWN_TENANT}/", 1)
            same = HostileRequest(request.method, unknown, request.headers, request.body)
            assert _comparable(response) == _comparable(self._send(person, same)), request

    def _remember(self, request: HostileRequest, response: httpx.Response, owner: Owner) -> None:
        if response.status_code != 200 or request.method != "GET":
            return
        if tag := response.headers.get("etag"):
            self.field.tags.append((request.path, tag, owner))
        if response.headers["content-type"].startswith("application/json"):
            cursor = response.json().get("next_cursor")
            if cursor:
                self.field.addresses.append((f"{request.path}&cursor={cursor}", owner))


def _comparable(response: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    """Everything of a response that does not differ between two equal requests."""
    headers = {k: v for k, v in response.headers.items() if k not in ("x-request-id", "date")}
    if response.content and response.headers["content-type"].startswith("application/"):
        return response.status_code, {**response.json(), "request_id": ""}, headers
    return response.status_code, response.content, headers


def intrude(battlefield: Battlefield, examples: int, steps: int) -> str:
    """Run the state machines; return the figures."""
    machine = type("Run", (Intruders,), {"field": battlefield})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=examples == EXAMPLES,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )
    return (
        f"API: {battlefield.requests} hostile requests, {battlefield.answered} answered within a"
        " grant, 0 foreign markers"
    )


def test_no_response_has_anything_of_another_tenant_or_outside_of_the_grant(
    battlefield: Battlefield, request: pytest.FixtureRequest
) -> None:
    figures = intrude(battlefield, EXAMPLES, STEPS)
    request.config.stash.setdefault(FIGURES, []).append(figures)
    assert battlefield.requests >= 1_500
    assert battlefield.answered >= 200, "an API that refuses everything would pass"


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_ten_thousand_hostile_requests_get_nothing(
    battlefield: Battlefield, request: pytest.FixtureRequest
) -> None:
    before = battlefield.requests
    figures = intrude(battlefield, TORTURE_EXAMPLES, TORTURE_STEPS)
    request.config.stash.setdefault(FIGURES, []).append(figures)
    assert battlefield.requests - before >= 10_000
