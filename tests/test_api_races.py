"""A tenant's data, grants or the tenant itself change while clients of two tenants keep asking.

Put here: what may be seen before, during and after a change, with real threads. Keep out: one
request that is held at one point (test_api_grants.py, test_replaced_tenant.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.tenants.model import Tenant
from tests.conftest import FIGURES
from tests.support.declarations import as_declared
from tests.support.generation_readers import DATA_CHANGED, Reader, sums_of
from tests.support.generations import PROJECTS, Generation, GenerationMaker
from tests.support.globex import finops
from tests.support.racing_clients import (
    Client,
    Exchange,
    Timeline,
    ask,
    asking,
    await_answers,
    in_turn,
)
from tests.support.rewound_folder import preserve, rewind
from tests.support.served_tenants import ServedTenants, serve_tenants

ALL = frozenset(PROJECTS)
OWN = frozenset(["prod"])
NOTHING = frozenset[str]()
BY_PROJECT = "/costs?last=6+months&basis=billed&group_by=project"
rounds = pytest.mark.parametrize(
    "rounds", [2, pytest.param(12, marks=[pytest.mark.torture, pytest.mark.timeout(1800)])]
)


@pytest.fixture(scope="module")
def preserved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Generation]]:
    """A folder with both tenants, published once, and these generations."""
    first: dict[str, Generation] = {}
    folder = tmp_path_factory.mktemp("races")
    preserve(folder, lambda used: first.update(GenerationMaker(used).begin()))
    return folder, first


@pytest.fixture
def first(preserved: tuple[Path, dict[str, Generation]]) -> dict[str, Generation]:
    """The first generation of each tenant."""
    return preserved[1]


@pytest.fixture
def maker(preserved: tuple[Path, dict[str, Generation]]) -> GenerationMaker:
    """An installation with these generations, which a test may change."""
    folder, first = preserved
    return GenerationMaker(rewind(folder), {made.marker: made for made in first.values()})


@pytest.fixture
def served(maker: GenerationMaker) -> Iterator[ServedTenants]:
    """Both tenants, served; nobody is refused for asking often, or for waiting while others do."""
    data = maker.installation.data
    often = {"serve_requests_per_minute": 10**6, "serve_wait_seconds": 60}
    with serve_tenants(data, **often) as served:
        limits = Limits(Extent.PROJECTS, tuple(OWN))
        served.tokens["acme-limited"] = create_token(served, "acme/limited", limits)
        yield served


def create_token(served: ServedTenants, name: str, limits: Limits | None = None) -> str:
    """Create a service of a tenant with a grant there; return its token."""
    token = TokenRequest(name, grant=NewGrant(Role.ANALYST, limits or Limits()))
    return tokens_of(served).create(token).text


def tokens_of(served: ServedTenants) -> TokenAdministration:
    return TokenAdministration(served.services.access, Actor.command_line())


def access_of(served: ServedTenants) -> AccessAdministration:
    return AccessAdministration(served.services.access, Actor.command_line())


def readers_of(served: ServedTenants) -> dict[str, Reader]:
    """Readers of both tenants and of one project, by token."""
    tokens = ("acme", "acme-limited", "globex")
    return {token: Reader(served, token.partition("-")[0], token) for token in tokens}


def check_generations(
    seen: list[Exchange], readers: dict[str, Reader], timelines: dict[str, Timeline[Generation]]
) -> int:
    """Check that each answer is wholly of a generation that it may be of; return how many were."""
    answered = 0
    for exchange in seen:
        reader = readers[exchange.token]
        possible = timelines[reader.tenant].possible(exchange)
        if exchange.kind == "next page" and exchange.response.status_code == DATA_CHANGED:
            continue
        assert exchange.response.status_code in (200, 304), f"{exchange} {possible}"
        (marker,) = reader.markers_in(exchange)
        of_marker = [generation for generation in possible if generation.marker == marker]
        assert of_marker, (str(exchange), possible)
        projects = OWN if exchange.token == "acme-limited" else ALL
        if projects == OWN:
            assert f"{marker} dev" not in exchange.response.text
        assert {*sums_of(exchange)} <= {of_marker[0].total(projects)}, exchange
        answered += 1
    return answered


@rounds
def test_every_answer_is_wholly_of_one_generation(
    served: ServedTenants,
    first: dict[str, Generation],
    maker: GenerationMaker,
    rounds: int,
    request: pytest.FixtureRequest,
) -> None:
    """Bills of acme are delivered again and again; globex is the same all the time."""
    timelines = {tenant: Timeline(generation) for tenant, generation in first.items()}
    readers = readers_of(served)
    clients = [
        client
        for token, count in (("acme", 3), ("acme-limited", 1), ("globex", 1))
        for client in readers[token].clients(count)
    ]
    with asking(clients) as seen:
        for _ in range(rounds):
            await_answers(seen, 20, "acme")
            following = maker.prepare("acme")
            with timelines["acme"].changing_to(following):
                maker.publish("acme")
        await_answers(seen, 20, "acme")
    answered = check_generations(seen, readers, timelines)
    shown = {marker for exchange in seen for marker in readers[exchange.token].markers_in(exchange)}
    assert shown == {*maker.made}, "every generation was seen"
    kinds = {exchange.kind for exchange in seen if exchange.response.status_code == 304}
    assert kinds == {"unchanged"}
    figures = f"generations: {answered} answers during {rounds} swaps, each of one generation"
    request.config.stash.setdefault(FIGURES, []).append(figures)


def test_a_restored_older_generation_is_what_everybody_sees(
    served: ServedTenants, first: dict[str, Generation], maker: GenerationMaker
) -> None:
    """A backup of acme's first generation replaces its second one."""
    data, backup = maker.installation.data, str(maker.folder / "backup")
    timelines = {tenant: Timeline(generation) for tenant, generation in first.items()}
    readers = readers_of(served)
    assert finops("backup", "acme", backup, data=data)[0] == 0
    with asking([readers[token].clients(2)[n] for token in readers for n in range(2)]) as seen:
        second = maker.prepare("acme")
        with timelines["acme"].changing_to(second):
            maker.publish("acme")
        await_answers(seen, 14, "acme")
        with timelines["acme"].changing_to(first["acme"]):
            assert finops("restore", backup, "acme", "--replace", data=data)[0] == 0
        await_answers(seen, 14, "acme")
    check_generations(seen, readers, timelines)


@rounds
def test_after_a_grant_has_changed_no_request_shows_more_than_it_allows(
    served: ServedTenants, rounds: int, request: pytest.FixtureRequest
) -> None:
    """Another caller asks the same questions with a grant that stays: nothing is shared by them."""
    access, timelines = access_of(served), {"acme": Timeline(ALL), "globex": Timeline(ALL)}
    served.tokens["changing"] = create_token(served, "acme/changing")
    timelines["changing"] = Timeline(ALL)
    askers = {token: ProjectAsker(served, token) for token in timelines}
    clients = [in_turn(asker.kinds(), n) for asker in askers.values() for n in range(2)]
    with asking(clients) as seen:
        for _ in range(rounds):
            for projects in (OWN, ALL - OWN, ALL, NOTHING, ALL):
                await_answers(seen, 8, "changing")
                with timelines["changing"].changing_to(projects):
                    change_grant(access, projects)
        await_answers(seen, 8, "changing")
        with timelines["changing"].changing_to(NOTHING):
            tokens_of(served).revoke(served.tokens["changing"])
        await_answers(seen, 8, "changing")
    shown = [askers[exchange.token].check(exchange, timelines[exchange.token]) for exchange in seen]
    assert {*shown} == {OWN, ALL - OWN, ALL, NOTHING}
    figures = f"grants: {len(shown)} answers during {5 * rounds + 1} changes, none shows too much"
    request.config.stash.setdefault(FIGURES, []).append(figures)


def change_grant(access: AccessAdministration, projects: frozenset[str]) -> None:
    """Let the service that changes see exactly these projects of acme."""
    if not projects:
        access.take("acme", "acme/changing")
        return
    limits = Limits() if projects == ALL else Limits(Extent.PROJECTS, tuple(projects))
    access.give("acme", "acme/changing", NewGrant(Role.ANALYST, limits))


class ProjectAsker:
    """Asks which projects there are: all kinds of answers that a server could remember."""

    def __init__(self, served: ServedTenants, token: str) -> None:
        self._served, self._token = served, token
        tenant = "globex" if token == "globex" else "acme"
        self._path = f"/tenants/{tenant}"
        self._shown: dict[str, frozenset[str]] = {}

    def kinds(self) -> list[Client]:
        """Return one client for each kind of answer."""
        return [self._costs, self._sql]

    def _ask(self, kind: str, path: str, **options: Any) -> Exchange:
        return ask(self._served, self._token, kind, f"{self._path}{path}", **options)

    def _costs(self) -> list[Exchange]:
        exchange = self._ask("costs", BY_PROJECT)
        if exchange.response.status_code != 200:
            return [exchange]
        tag = exchange.response.headers["etag"]
        self._shown[tag] = self._projects(exchange)
        return [exchange, self._ask("unchanged", BY_PROJECT, headers={"If-None-Match": tag})]

    def _sql(self) -> list[Exchange]:
        sql = {"sql": "select distinct project from costs", "limit": 10}
        return [self._ask("sql", "/sql", method="POST", json=sql)]

    def _projects(self, exchange: Exchange) -> frozenset[str]:
        response = exchange.response
        if response.status_code == 304:
            return self._shown[response.headers["etag"]]
        if response.status_code in (401, 404):
            return NOTHING
        assert response.status_code == 200, exchange
        rows = response.json()["rows"]
        return frozenset(row[0] if exchange.kind == "sql" else row["project"] for row in rows)

    def check(self, exchange: Exchange, timeline: Timeline[frozenset[str]]) -> frozenset[str]:
        """Check that no other projects were shown than may have been; return which were."""
        shown, possible = self._projects(exchange), timeline.possible(exchange)
        is_withdrawn = shown == NOTHING and len(possible) > 1
        assert shown in possible or is_withdrawn, (str(exchange), possible)
        return shown


def test_a_tenant_of_a_purged_name_shares_nothing_with_the_purged_one(
    served: ServedTenants,
    first: dict[str, Generation],
    maker: GenerationMaker,
    request: pytest.FixtureRequest,
) -> None:
    """`everywhere` has a grant in both; tokens that the first acme created end with it."""
    access = access_of(served)
    access.add_principal("everywhere")
    for tenant in first:
        access.give(tenant, "everywhere", NewGrant(Role.ANALYST))
    served.tokens["everywhere"] = tokens_of(served).create(TokenRequest("everywhere")).text
    readers = {
        token: Reader(served, "acme", token, may_end=True) for token in ("acme", "everywhere")
    }
    readers["globex"] = Reader(served, "globex", "globex")
    timelines = {token: Timeline(of.tenant) for token, of in readers.items()}
    allowed = {"acme": {first["acme"].marker}, "globex": {first["globex"].marker}, "": set()}
    with asking([reader.clients(2)[n] for reader in readers.values() for n in range(2)]) as seen:
        await_answers(seen, 10, "everywhere")
        with timelines["acme"].changing_to(""), timelines["everywhere"].changing_to(""):
            declared = remove_and_purge(served)
        await_answers(seen, 10, "everywhere")
        second = maker.prepare("acme")
        allowed["second"] = {second.marker}
        with timelines["everywhere"].changing_to("second"):
            served.installation.registry.save(as_declared(declared))
            maker.publish("acme")
            access.give("acme", "everywhere", NewGrant(Role.ANALYST))
        await_answers(seen, 14, "everywhere")
    for exchange in seen:
        possible = timelines[exchange.token].possible(exchange)
        is_changing, status = len(possible) > 1, exchange.response.status_code
        shown = readers[exchange.token].markers_in(exchange)
        assert not shown or any(shown == allowed[state] for state in possible), exchange
        expected = (404,) if possible == [""] else (200, 304)
        assert status in expected or (is_changing and status in (404, 409)), (
            str(exchange),
            possible,
        )
    by_caller = {
        (exchange.token, *readers[exchange.token].markers_in(exchange)) for exchange in seen
    }
    assert {("everywhere", made) for made in (first["acme"].marker, second.marker)} <= by_caller
    figures = f"purge: {len(seen)} answers while acme was purged and another one declared"
    request.config.stash.setdefault(FIGURES, []).append(figures)


def remove_and_purge(served: ServedTenants) -> Tenant:
    """Remove and purge acme; return what was declared."""
    declared = served.installation.registry.tenant("acme")
    for command in ("remove", "purge"):
        data = served.installation.settings.data
        assert finops("tenant", command, "acme", "--yes", "acme", data=data)[0] == 0
    return declared
