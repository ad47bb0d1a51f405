"""Every fault of a connection or store: the ingest recovers exactly, or reports cause and cure.

Covers: resets, throttling, failures, trickles, stalls, cut and changed bytes, moving objects,
credentials and clocks, invalid answers. The store is real; a proxy in front of it misbehaves.
Each fault has a source of its own in one `finops ingest`: no row lost, no month half-visible, the
other sources and the other tenant untouched, and the next run complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import FIGURES
from tests.support.before_the_fault import FOLDER, WELL, Bill, Estate, IngestRun, build
from tests.support.faulty_proxy import FOREVER, Fault, FaultyServer, StoreRequest, line
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

FILE = "/cur-1.csv.gz"
MOST_REQUESTS = 60
"""Requests that a run may send for one source, whatever happens to them."""

LOGIN = b"<!doctype html><html><head><title>Sign in</title></head><body><p>Wi-Fi</body></html>"
SLOW, BROKEN = says(503, "SlowDown"), says(500, "InternalError")
EXPIRED = says(403, "ExpiredToken", "The provided token has expired.")
SKEWED = says(403, "RequestTimeTooSkewed", "The difference between the request time and …")

RECOVERS: dict[str, list[Fault]] = {
    "reset-mid-body": [Fault(resets(50_000), "data", FILE)],
    "reset-mid-body-thrice": [Fault(resets(10_000), "data", FILE, 3)],
    "reset-in-a-manifest": [Fault(resets(20), "manifest")],
    "reset-in-a-listing": [Fault(resets(40), "list", times=3)],
    "reset-before-an-answer": [Fault(refuses(), times=4)],
    "cut-mid-body": [Fault(cuts(30_000), "data", FILE, times=2)],
    "cut-in-a-listing": [Fault(cuts(100), "list", times=2)],
    "slowdown-a-few-times": [Fault(SLOW, times=4)],
    "slowdown-mid-download": [
        Fault(resets(50_000), "data", FILE),
        Fault(SLOW, "data", FILE, 3),
    ],
    "failing-a-few-times": [Fault(BROKEN, times=4)],
    "bad-gateway": [Fault(gives(LOGIN, 502), times=3)],
    "stall-mid-body": [Fault(stalls(50_000), "data", FILE)],
    "stall-before-an-answer": [Fault(is_mute(), "list")],
    "slow-and-then-well": [Fault(trickles(200, 0.01, 60), "data", FILE)],
    "dried-up-mid-body": [Fault(trickles(10, 0.1), "data", FILE)],
    "other-bytes-once": [Fault(flips(), "data", FILE)],
    "expired-once": [Fault(EXPIRED, "data", FILE)],
    "expired-mid-download": [
        Fault(resets(50_000), "data", FILE),
        Fault(EXPIRED, "data", FILE),
    ],
    "ranges-ignored": [
        Fault(resets(50_000), "data", FILE),
        Fault(ignores_ranges(), "data", FILE, FOREVER),
    ],
}

NO_LISTING = ("could not list s3://", "endpoint_url", "published stays")

REFUSED: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "always-reset": (Fault(resets(1000), "data", FILE), (FILE, "the stream broke", "network")),
    "always-reset-in-a-listing": (Fault(resets(10), "list"), NO_LISTING),
    "always-cut": (Fault(cuts(1000), "data", FILE), (FILE, "6 attempts", "network")),
    "always-slowdown": (Fault(SLOW, "data", FILE), (FILE, "SlowDown", "Run again later")),
    "slowdown-in-listings": (Fault(SLOW, "list"), ("list s3://", "SlowDown", "Run again later")),
    "always-failing": (Fault(BROKEN), ("InternalError", "Run again later")),
    "always-mute": (Fault(is_mute(), "list"), ("timeout", "network", "endpoint_url")),
    "always-stalling": (Fault(stalls(1000), "data", FILE), (FILE, "bytes, 6 attempts", "network")),
    "always-dried-up": (Fault(trickles(5, 0.1), "data", FILE), (FILE, "bytes arrived in")),
    "always-other-bytes": (Fault(flips(), "data", FILE), (FILE, "MD5", "3 times", "again")),
    "another-etag": (Fault(marks("0" * 32), "data", FILE), (FILE, "changed while", "Run again")),
    "expired-for-good": (
        Fault(EXPIRED, "data", FILE),
        (FILE, "ExpiredToken", "Sign in again or renew"),
    ),
    "clock-skew": (Fault(SKEWED), ("RequestTimeTooSkewed", "clock (NTP)")),
    "denied": (Fault(says(403, "AccessDenied"), "data", FILE), (FILE, "finops source policy")),
    "page-for-a-listing": (Fault(gives(LOGIN), "list"), ("list s3://", "Run again later")),
    "other-xml-for-a-listing": (Fault(gives(b"<a><b/></a>"), "list"), NO_LISTING),
    "nothing-for-a-listing": (Fault(gives(b""), "list"), NO_LISTING),
    "nothing-for-a-manifest": (
        Fault(gives(b""), "manifest"),
        ("cur-Manifest.json", "changed while", "Run again"),
    ),
    "not-there-though-listed": (
        Fault(says(404, "NoSuchKey"), "data", FILE),
        (FILE, "changed while", "Run again"),
    ),
    "page-for-a-file": (Fault(gives(LOGIN), "data", FILE), (FILE, "changed while")),
}


@dataclass(frozen=True)
class FaultyRun:
    """One run in which everything went wrong, and an ordinary run after it."""

    estate: Estate
    names: list[str]
    ran: IngestRun
    requests: list[StoreRequest]
    seen: dict[str, Bill]
    after: IngestRun
    seen_after: dict[str, Bill]


RUNS = 5
"""The gate has one run, with every fifth fault; `make torture` has the other runs."""


def part(number: int, faults: Iterable[str]) -> list[str]:
    """Return the faults of a run: every fifth one."""
    return list(faults)[number::RUNS]


def marks_of(number: int) -> list[pytest.MarkDecorator]:
    """Return the marks of the tests of a run."""
    return [pytest.mark.torture] if number else []


in_each_run = pytest.mark.parametrize(
    "number", [pytest.param(number, marks=marks_of(number)) for number in range(RUNS)]
)


def with_each_fault(faults: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrize a test by the faults, each with the number of its run."""
    cases = [
        pytest.param(number, name, id=name, marks=marks_of(number))
        for number in range(RUNS)
        for name in part(number, faults)
    ]
    return pytest.mark.parametrize(("number", "name"), cases)


@pytest.fixture(scope="module")
def faulty_runs() -> dict[int, FaultyRun]:
    """The runs so far, by number."""
    return {}


@pytest.fixture
def faulty_run(
    faulty_runs: dict[int, FaultyRun],
    number: int,
    store: Store,
    line: FaultyServer,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> FaultyRun:
    """The run with this number; the first test that needs it starts it."""
    if number not in faulty_runs:
        estate = build_estate(number, tmp_path_factory.mktemp("faulty_run"), store, line)
        faulty_runs[number] = run_with_faults(number, estate, line)
        request.config.stash.setdefault(FIGURES, []).append(
            describe_run(faulty_runs[number], number)
        )
    return faulty_runs[number]


def build_estate(number: int, folder: Path, store: Store, line: FaultyServer) -> Estate:
    """Publish the sources of a run: one for each of its faults."""
    return build(folder, store, line, part(number, REFUSED), part(number, RECOVERS))


def run_with_faults(number: int, estate: Estate, line: FaultyServer) -> FaultyRun:
    """Ingest while the faults of a run occur, each on its own source, and again without faults."""
    recovers, refused = part(number, RECOVERS), part(number, REFUSED)
    script = [
        replace(fault, key=f"{estate.spelled(name)}/*{fault.key}")
        for name in recovers
        for fault in RECOVERS[name]
    ] + [
        replace(
            REFUSED[name][0], key=f"{estate.spelled(name)}/*{REFUSED[name][0].key}", times=FOREVER
        )
        for name in refused
    ]
    ran = estate.ingest(*script)
    requests, seen = list(line.log), estate.visible()
    after = estate.ingest()
    names = [*recovers, *refused]
    return FaultyRun(estate, names, ran, requests, seen, after, estate.visible())


def describe_run(faulty_run: FaultyRun, number: int) -> str:
    """Return the figures of a run."""
    counts = len(part(number, RECOVERS)), len(part(number, REFUSED))
    return (
        f"faults: {counts[0]} kinds recovered from, {counts[1]} refused, in one run of"
        f" {faulty_run.ran.seconds:.0f} s; the next run took {faulty_run.after.seconds:.0f} s"
    )


def of(faulty_run: FaultyRun, name: str) -> list[StoreRequest]:
    """The requests for a source's exports."""
    return [
        request
        for request in faulty_run.requests
        if request.key.startswith(f"{faulty_run.estate.spelled(name)}/")
    ]


@with_each_fault(RECOVERS)
def test_an_ingest_recovers_exactly_from_a_passing_fault(faulty_run: FaultyRun, name: str) -> None:
    assert any(request.fault for request in of(faulty_run, name)), "the fault happened"
    source = faulty_run.estate.spelled(name)
    assert not [
        output_line
        for output_line in faulty_run.ran.output_lines
        if f"{source} " in output_line and "refused" in output_line
    ]
    assert faulty_run.seen[source] == faulty_run.estate.new[source]


@with_each_fault(REFUSED)
def test_a_refusal_is_reported_and_the_old_month_stays(faulty_run: FaultyRun, name: str) -> None:
    assert any(request.fault for request in of(faulty_run, name)), "the fault happened"
    source = faulty_run.estate.spelled(name)
    (message,) = [
        s for s in faulty_run.ran.output_lines if s.startswith(f"finops: landing {source} ")
    ]
    for message_part in REFUSED[name][1]:
        assert message_part in message, message
    assert faulty_run.seen[source] == faulty_run.estate.old[source]
    assert faulty_run.seen_after[source] == faulty_run.estate.new[source]


@in_each_run
def test_a_run_of_faults_spares_the_other_tenant_and_the_next_run_completes(
    faulty_run: FaultyRun,
) -> None:
    estate = faulty_run.estate
    assert faulty_run.ran.code == 1
    for name in faulty_run.names:
        assert len(of(faulty_run, name)) <= MOST_REQUESTS, name
    assert faulty_run.seen[WELL] == estate.new[WELL]
    assert faulty_run.after.code == 0, faulty_run.after.output_lines
    assert faulty_run.seen_after == estate.new
    assert not estate.leftovers()
    for tenant in estate.tenants:
        assert {s.state for s in estate.made.installation.status(tenant)} == {"reconciled"}


@in_each_run
def test_only_the_missing_bytes_are_fetched_again(faulty_run: FaultyRun) -> None:
    for name, begins in {
        "reset-mid-body": [0, 50_000],
        "reset-mid-body-thrice": [0, 10_000, 20_000, 30_000],
        "cut-mid-body": [0, 30_000, 60_000],
        "stall-mid-body": [0, 50_000],
        "expired-mid-download": [0, 50_000, 50_000],
        "slowdown-mid-download": [0, 50_000, 50_000, 50_000, 50_000],
    }.items():
        if name not in faulty_run.names:
            continue
        requests = [
            request for request in of(faulty_run, name) if request.key.endswith(FOLDER + FILE)
        ]
        assert [request.begin for request in requests] == begins, name
        bytes_ = sum(request.sent for request in requests if request.status in (200, 206))
        assert bytes_ == faulty_run.estate.sizes[requests[0].key], name
