"""Anything goes wrong at any request: random faults, several to a source, night after night.

Each trial is one source in one `finops ingest`, with one to three faults at random requests. It
ends with the next delivery or, reporting a refusal, with the previous one; a
last run completes all. `make test` runs one seed, `pytest -m torture` more.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import FIGURES
from tests.support.before_the_fault import Estate, build
from tests.support.faulty_proxy import FOREVER, Deed, Fault, FaultyServer, line
from tests.support.line_faults import (
    cuts,
    flips,
    gives,
    ignores_ranges,
    is_mute,
    marks,
    refuses,
    resets,
    says,
    stalls,
    trickles,
)
from tests.support.servers import Store

__all__ = ["line"]

SEED, TORTURE = 7, (11, 23)
SOURCES = 5
NIGHTS, TORTURE_NIGHTS = 1, 13


def any_deed(rng: random.Random) -> tuple[Deed, str]:
    """Choose a fault and the kind of request that it applies to."""
    bytes_ = rng.choice((0, 1, 40, 500, rng.randrange(70_000)))
    deeds: list[tuple[Deed, str]] = [
        (resets(bytes_), ""),
        (cuts(bytes_), ""),
        (stalls(bytes_), ""),
        (refuses(), ""),
        (is_mute(), ""),
        (trickles(200, 0.01, 60), ""),
        (trickles(10, 0.1), "data"),
        (says(503, "SlowDown"), ""),
        (says(500, "InternalError"), ""),
        (says(403, "ExpiredToken"), ""),
        (says(403, "RequestTimeTooSkewed"), ""),
        (says(404, "NoSuchKey"), "data"),
        (gives(b"<html><body>Sign in</body></html>"), ""),
        (gives(b""), ""),
        (gives(b"", 502), ""),
        (marks("f" * 32), "data"),
        (flips(rng.random()), rng.choice(("data", "manifest"))),
        (ignores_ranges(), "data"),
    ]
    return rng.choice(deeds)


def any_script(rng: random.Random, source: str) -> list[Fault]:
    """One to three faults on a source's requests."""
    script = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        deed, kind = any_deed(rng)
        times = rng.choice((1, 1, 1, 1, 2, 3, 6, FOREVER))
        script.append(Fault(deed, kind, f"{source}/*", times, after=rng.randrange(7)))
    return script


def nights(estate: Estate, rng: random.Random, number: int) -> tuple[int, int, int]:
    """Run nights of faults, then a good one; return (trials, trials hit, trials refused)."""
    trials = hit = refused = 0
    before = dict(estate.old)
    for night in range(number):
        if night:
            estate.deliver()
        faults = [fault for source in estate.sources for fault in any_script(rng, source)]
        ran = estate.ingest(*faults)
        log, seen = list(estate.line.log), estate.visible()
        for source in estate.sources:
            refusals = [
                output_line
                for output_line in ran.output_lines
                if output_line.startswith(f"finops: landing {source} ")
            ]
            expected = before if refusals else estate.new
            assert seen[source] == expected[source], f"night {night}, {source}: {ran.output_lines}"
            trials += 1
            hit += any(request.fault for request in log if request.key.startswith(f"{source}/"))
            refused += bool(refusals)
        before = seen
    done = estate.ingest()
    assert done.code == 0, done.output_lines
    assert estate.visible() == estate.new
    assert not estate.leftovers()
    return trials, hit, refused


def check_nights(estate: Estate, request: pytest.FixtureRequest, seed: int, number: int) -> None:
    trials, hit, refused = nights(estate, random.Random(seed), number)
    figures = f"faults, seed {seed}: {trials} trials, {hit} hit, {hit - refused} of them recovered,"
    figures += f" {refused} refused; 0 rows lost, 0 months half-visible"
    request.config.stash.setdefault(FIGURES, []).append(figures)
    assert hit > trials / 2
    assert 0 < refused < trials


@pytest.fixture
def estate(store: Store, line: FaultyServer, tmp_path: Path) -> Estate:
    return build(tmp_path, store, line, [f"s-{number}" for number in range(SOURCES - 1)])


def test_random_faults_at_random_requests_lose_nothing(
    estate: Estate, request: pytest.FixtureRequest
) -> None:
    check_nights(estate, request, SEED, NIGHTS)


@pytest.mark.torture
@pytest.mark.parametrize("seed", TORTURE)
def test_many_nights_of_random_faults_lose_nothing(
    estate: Estate, request: pytest.FixtureRequest, seed: int
) -> None:
    check_nights(estate, request, seed, TORTURE_NIGHTS)
