"""How fast the API answers common questions about costs, on the tenant of `make bench-marts`.

Put here: a server as a process of its own, clients on loopback, latencies. Keep out: making the
tenant (marts.py), what answers contain (tests). Run by `make bench-api`; `--rows 200000` is a quick
look.

A question "not asked before" differs from every other one of the run in its limit, so that no
remembered answer fits. Clients are threads of this process; what they need is part of a latency,
because they share the cores with the server.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import api_tenants
import targets
from api_server import memory_mib, serve
from marts import MONTHS, ingest
from measure import machine
from performance_page import Page, print_targets
from recurring_bills import LAST_MONTH, months_before
from targets import Values

TENANT = "bench"
REQUESTS = 600
"""Requests of each measurement."""

_YEAR = {"start": months_before(LAST_MONTH, MONTHS)[0], "end": LAST_MONTH}
_MONTH = {"start": LAST_MONTH, "end": LAST_MONTH}
_DAYS = {"start": f"{LAST_MONTH}-01", "end": f"{LAST_MONTH}-28"}
_PROD = {"filters": [{"field": "project", "values": ["prod"]}]}
QUESTIONS: dict[str, dict[str, Any]] = {
    "costs of the last month by service": {**_MONTH, "group_by": ["service"]},
    "costs of the year by month": {**_YEAR, "granularity": "month"},
    "costs of the year by month and service": {
        **_YEAR, "granularity": "month", "group_by": ["service"],
    },
    "costs of a project by service": {**_MONTH, **_PROD, "group_by": ["service"]},
    "costs by account": {**_MONTH, "group_by": ["account"]},
    "costs by region": {**_MONTH, "group_by": ["region"]},
    "costs by environment and month": {
        **_YEAR, "granularity": "month", "group_by": ["environment"],
    },
    "costs of each day": {**_DAYS, "granularity": "day"},
    "change since the month before, by service": {
        **_MONTH, "group_by": ["service"], "compare_to": "previous_period",
        "order": "largest_change",
    },
    "billed costs by project": {**_MONTH, "basis": "billed", "group_by": ["project"]},
}  # fmt: skip


class Client:
    """A client with one connection that stays open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, question: dict[str, Any]) -> float:
        """Ask a question; returns the milliseconds until its answer was read."""
        body = json.dumps(question)
        start = time.perf_counter()
        self._connection.request("POST", f"/v1/tenants/{TENANT}/costs", body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        elapsed = (time.perf_counter() - start) * 1000
        assert response.status == 200, content
        return elapsed


def measure(port: int, token: str, clients: int, questions: list[dict[str, Any]]) -> list[float]:
    """Ask questions with so many clients at the same time; returns sorted milliseconds."""

    def ask_all(number: int) -> list[float]:
        client = Client(port, token)
        return [client.ask(question) for question in questions[number::clients]]

    with ThreadPoolExecutor(clients) as threads:
        return sorted(ms for part in threads.map(ask_all, range(clients)) for ms in part)


def share(milliseconds: list[float], percent: int) -> float:
    """Return the latency within which so many percent of the requests were answered."""
    return milliseconds[min(len(milliseconds) - 1, len(milliseconds) * percent // 100)]


def publish(data: Path) -> None:
    """Deliver the last month again, and ingest it: a new generation of the tenant's file."""
    export = data.parent / "export"
    (manifest,) = export.glob(f"metadata/*{LAST_MONTH}/*.json")
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "executionId": f"bench-{time.time_ns()}"}))
    subprocess.run(
        [sys.executable, "-m", "finops_pipeline.cli", "ingest", TENANT],
        check=True, capture_output=True, env={**os.environ, "FINOPS_DATA": str(data)},
    )  # fmt: skip


def compare(page: Page, data: Path) -> Values:
    """Measure all kinds of requests and print them."""
    created = subprocess.run(
        [sys.executable, "-m", "finops_pipeline.cli", "token", "create", f"{TENANT}/benchmark",
         "--role", "viewer"],
        capture_output=True, text=True, check=True, env={**os.environ, "FINOPS_DATA": str(data)},
    )  # fmt: skip
    token = created.stdout.strip()
    limits = count(100)
    asked = [dict(q) for q in islice(cycle(QUESTIONS.values()), REQUESTS)]
    with serve(data) as (port, process_id):
        cold = Client(port, token).ask(asked[0])
        measure(port, token, 4, asked[:40])
        rows = {
            "not asked before, 1 client": measure(port, token, 1, _new(asked, limits)),
            "not asked before, 4 clients": measure(port, token, 4, _new(asked, limits)),
            "not asked before, 32 clients": measure(port, token, 32, _new(asked, limits)),
            "asked again, 1 client": measure(port, token, 1, asked),
            "asked again, 4 clients": measure(port, token, 4, asked),
            "asked again, 32 clients": measure(port, token, 32, asked),
        }
        memory = memory_mib(process_id)
        seconds = time.perf_counter()
        measure(port, token, 32, _new(asked, limits))
        throughput = REQUESTS / (time.perf_counter() - seconds)
        publish(data)
        swapped = Client(port, token).ask(asked[0])
    page.say(f"The first answer of a server that has just started took {cold:,.0f} ms.")
    page.say(f"The first answer after a month was restated took {swapped:,.0f} ms.")
    page.say(f"With 32 clients, it answered {throughput:,.0f} new questions in a second.")
    page.say(f"Afterwards the server and its processes held {memory:,.0f} MiB.\n")
    page.say("| what | half within, ms | 95 % within, ms | 99 % within, ms |")
    page.say("|---|---|---|---|")
    for name, ms in rows.items():
        page.say(f"| {name} | {share(ms, 50):.1f} | {share(ms, 95):.1f} | {share(ms, 99):.1f} |")
    return {
        targets.API_NEW: share(rows["not asked before, 4 clients"], 95),
        targets.API_AGAIN: share(rows["asked again, 1 client"], 95),
    }


def _new(questions: list[dict[str, Any]], limits: Iterator[int]) -> list[dict[str, Any]]:
    return [{**question, "limit": next(limits)} for question in questions]


def main() -> None:
    """Run all comparisons, print the tables and write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="usage lines of a year")
    parser.add_argument("--folder", type=Path, default=Path("build/bench/marts"))
    parser.add_argument("--tenants", type=int, default=1000, help="small tenants beside it")
    parser.add_argument("--again", action="store_true", help="use the tenant of the last run")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    work = options.folder.absolute()
    work.mkdir(parents=True, exist_ok=True)
    if not options.again:
        ingest(work, options.rows)
    page = Page("bench-api")
    day = datetime.now(UTC).date().isoformat()
    page.say(f"{options.rows:,} usage lines in {MONTHS} months; {day}; {machine()}.\n")
    values = compare(page, work / "data")
    print_targets(page, targets.OF_API, values)
    api_tenants.compare(page, options.folder.absolute().parent / "api-tenants", options.tenants)
    if options.write:
        page.write()


if __name__ == "__main__":
    main()
