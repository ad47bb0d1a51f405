"""A tenant without a grant: nothing of it is read, whether there are two tenants or fifty.

Put here: what a foreign tenant costs and shows, compared with one that does not exist. Keep out:
random requests (test_api_isolation.py), every address (test_api_access.py).
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.marked_tenants import PROJECTS, MarkedTenants, make_marked_tenants
from tests.support.published_files import copy_installation
from tests.support.served_tenants import ServedTenants, give_token, serve_tenants

UNKNOWN = "globez"
"""No tenant; as long as `globex`."""
MANY = ("acme", "globex", *(f"{name}-{n}" for n in range(1, 25) for name in ("acme", "globex")))
"""Fifty names, of which many begin with others."""
QUESTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/costs?start=2026-09&end=2026-10&group_by=service", {}),
    ("GET", "/tag-coverage?tag=Team&page_size=1", {}),
    ("GET", "/exports/costs", {}),
    ("POST", "/sql", {"json": {"sql": "select * from costs", "limit": 100}}),
)
TIMED, MOST_RATIO = 200, 1.5


def send(served: ServedTenants, tenant: str, token: str, question: Any) -> httpx.Response:
    """Send a question about a tenant."""
    method, path, options = question
    return served.send(method, f"/tenants/{tenant}{path}", token, **options)


def comparable(response: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Everything of a refusal that does not differ between two equal requests."""
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, {**response.json(), "request_id": ""}, headers


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served."""
    data = tmp_path_factory.mktemp("foreign") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=10**6) as served:
        yield served


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[1].split("?")[0])
def test_a_foreign_tenants_folder_is_not_even_looked_for(
    served: ServedTenants, question: Any
) -> None:
    """Without the folder, and with a file in its place, the answer is the same."""
    folder = served.installation.folder("globex").root
    aside = folder.with_name("aside")
    expected = comparable(send(served, UNKNOWN, "acme", question))
    assert expected[0] == 404
    assert comparable(send(served, "globex", "acme", question)) == expected
    folder.rename(aside)
    try:
        assert comparable(send(served, "globex", "acme", question)) == expected
        assert not folder.exists(), "nothing makes the folder"
        folder.write_text("no folder")
        assert comparable(send(served, "globex", "acme", question)) == expected
        without = send(served, "globex", "globex", question)
        assert without.status_code == 409, "its own caller notices"
    finally:
        folder.unlink(missing_ok=True)
        aside.rename(folder)
    assert send(served, "globex", "globex", question).status_code in (200, 422)


@pytest.mark.torture
def test_a_foreign_tenant_takes_as_long_as_an_unknown_one(
    served: ServedTenants, request: pytest.FixtureRequest
) -> None:
    """Coarsely: whatever were read of the tenant would take several times as long."""
    seconds: dict[str, list[float]] = {"globex": [], UNKNOWN: []}
    for _ in range(TIMED):
        for tenant in random.sample([*seconds], 2):
            begun = time.perf_counter()
            assert send(served, tenant, "acme", QUESTIONS[0]).status_code == 404
            seconds[tenant].append(time.perf_counter() - begun)
    foreign, unknown = (statistics.median(of_tenant) for of_tenant in seconds.values())
    figures = (
        f"timing: median of {TIMED} requests each, foreign {foreign * 1000:.2f} ms, unknown"
        f" {unknown * 1000:.2f} ms"
    )
    request.config.stash.setdefault(FIGURES, []).append(figures)
    assert 1 / MOST_RATIO < foreign / unknown < MOST_RATIO, figures


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> MarkedTenants:
    """Fifty tenants with the same projects, accounts and resources."""
    return make_marked_tenants(tmp_path_factory.mktemp("many"), MANY, ("2026-09",))


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_each_of_fifty_tenants_is_alone(
    many: MarkedTenants, request: pytest.FixtureRequest
) -> None:
    patient = {"serve_requests_per_minute": 10**6, "serve_wait_seconds": 120}
    rng, sent = random.Random(50), 0
    with serve_tenants(many.made.data, **patient) as served:
        for tenant in MANY:
            token = give_token(served.installation, f"{tenant}/asks", Role.ANALYST)
            served.tokens[f"{tenant}/asks"] = token
        tags: dict[str, str] = {}
        for tenant in rng.sample(MANY, len(MANY)):
            token = f"{tenant}/asks"
            strangers = rng.sample([each for each in MANY if each != tenant], 2)
            for question in QUESTIONS:
                own = send(served, tenant, token, question)
                check_own(many, tenant, own)
                unknown = comparable(send(served, UNKNOWN, token, question))
                for stranger in strangers:
                    assert comparable(send(served, stranger, token, question)) == unknown
                sent += 2 + len(strangers)
            check_tags(served, tenant, tags)
    figures = f"fifty tenants: {sent} requests, 0 foreign markers"
    request.config.stash.setdefault(FIGURES, []).append(figures)


def check_own(many: MarkedTenants, tenant: str, response: httpx.Response) -> None:
    """Check that an answer has a marker of its tenant, and none of another."""
    assert response.status_code == 200, response.text
    text = f"{response.headers} {response.text}"
    assert [mark for place, mark in many.markers.items() if place[0] == tenant and mark in text]
    foreign = many.forbidden(tenant, frozenset(PROJECTS))
    assert len(foreign) == len(PROJECTS) * (len(MANY) - 1)
    assert not [marker for marker in foreign if marker in text]


def check_tags(served: ServedTenants, tenant: str, tags: dict[str, str]) -> None:
    """Check that the entity tags of all earlier tenants mean nothing in this one; keep its own."""
    path = f"/tenants/{tenant}{QUESTIONS[0][1]}"
    headers = {"If-None-Match": ", ".join(tags.values()) or '"none"'}
    response = served.get(path, f"{tenant}/asks", headers=headers)
    assert response.status_code == 200
    tag = response.headers["etag"]
    assert served.get(path, f"{tenant}/asks", headers={"If-None-Match": tag}).status_code == 304
    tags[tenant] = tag
