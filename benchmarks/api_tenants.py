"""How a server answers many tenants at once, and how much memory a thousand of them take.

Put here: small tenants with bills of their own, clients of all of them on loopback, wrong answers,
failures, latencies, memory. Keep out: one large tenant (api.py). `api.py` runs it; by itself with
`--tenants 50` it is a quick look.

The bill of each tenant has another total, so that an answer with another tenant's rows is wrong.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
from api_server import memory_mib, serve
from marts import Installation
from performance_page import Page
from recurring_bills import LAST_MONTH, write_month

from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation as OwnInstallation
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.settings import Settings

SHARED = 50
"""Tenants that all clients ask at the same time."""

CLIENTS = 200
QUESTIONS_EACH = 10
_MONTH = {"start": LAST_MONTH, "end": LAST_MONTH}


@dataclass
class Tenants:
    """Small tenants: where they are, the total of each one's bill, and a token of each."""

    data: Path
    totals: dict[str, Decimal]
    tokens: dict[str, str] = field(default_factory=dict)


def make_tenants(work: Path, count: int) -> Tenants:
    """Make bills of tenants and ingest them, unless that was done before."""
    names = [f"tenant-{number:04d}" for number in range(count)]
    exports = {name: work / "exports" / name for name in names}
    _write_exports(work / "all", list(exports.values()))
    data = work / f"data-{count}"
    if not (data / "made").exists():
        _ingest(data, exports)
        (data / "made").touch()
    sql = "select sum(line_item_unblended_cost::varchar::decimal(38, 18)) from read_parquet(?)"
    totals = {
        name: duckdb.execute(sql, [f"{export}/data/*/*.parquet"]).fetchall()[0][0]
        for name, export in exports.items()
    }
    tenants = Tenants(data, totals)
    control = AccessControl(OwnInstallation(Settings(data=data)))
    tokens = TokenAdministration(control, Actor.command_line())
    for name in names:
        request = TokenRequest(f"{name}/benchmark", grant=NewGrant(Role.VIEWER))
        tenants.tokens[name] = tokens.create(request).text
    return tenants


def _write_exports(base: Path, exports: list[Path]) -> None:
    """Write an export for each tenant: the first lines of one bill, and one line more each."""
    bill = write_month(base, LAST_MONTH, 2000)
    for number, export in enumerate(exports):
        if export.exists():
            continue
        shutil.copytree(base, export)
        target = export / bill.relative_to(base)
        duckdb.execute(f"copy (from '{bill}' limit {100 + number}) to '{target}' (format parquet)")


def _ingest(data: Path, exports: dict[str, Path]) -> None:
    data.mkdir(parents=True, exist_ok=True)
    declared = [
        {
            "name": name,
            "sources": [{"name": "payer", "format": "cur-2.0", "location": str(export)}],
            "projects": [{"name": "all", "accounts": [str(100000000000 + n) for n in range(24)]}],
        }
        for name, export in exports.items()
    ]
    (data / "tenants.yaml").write_text(json.dumps({"tenants": declared}))
    installation = Installation(data)
    installation.finops("apply", str(data / "tenants.yaml"))
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        list(processes.map(_ingest_tenant, [data] * len(exports), exports, chunksize=10))


def _ingest_tenant(data: Path, name: str) -> None:
    installation = OwnInstallation(Settings(data=data, threads=1))
    ingest(installation, installation.registry.tenant(name))


@dataclass
class Outcome:
    """What happened to requests: statuses, answers that were wrong, milliseconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    milliseconds: list[float] = field(default_factory=list)

    def share(self, percent: int) -> float:
        """The latency within which so many percent were answered."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def ask(port: int, tenants: Tenants, requests: list[tuple[str, int]], outcome: Outcome) -> None:
    """Ask for the total of tenants, one after the other.

    Args:
        port: of the server.
        tenants: whose tokens are used.
        requests: a tenant and a limit each: another limit is a question not asked before.
        outcome: to which the requests are added.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for tenant, limit in requests:
        headers = {
            "Authorization": f"Bearer {tenants.tokens[tenant]}", "Content-Type": "application/json",
        }  # fmt: skip
        body = json.dumps({**_MONTH, "basis": "billed", "group_by": ["service"], "limit": limit})
        start = time.perf_counter()
        connection.request("POST", f"/v1/tenants/{tenant}/costs", body, headers)
        response = connection.getresponse()
        content = response.read()
        outcome.milliseconds.append((time.perf_counter() - start) * 1000)
        outcome.statuses[response.status] += 1
        if response.status == 200:
            outcome.wrong += _total(json.loads(content)) != tenants.totals[tenant]


def _total(answer: dict[str, Any]) -> Decimal:
    return sum((Decimal(total["total"]) for total in answer["totals"]), Decimal(0))


@contextmanager
def most_memory(process_id: int) -> Iterator[list[float]]:
    """Sample the memory of a server and its processes while the block runs; yields the most."""
    most, end = [0.0], threading.Event()

    def sample() -> None:
        while not end.wait(0.5):
            most[0] = max(most[0], memory_mib(process_id))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield most
    finally:
        end.set()
        thread.join()


def compare(page: Page, work: Path, count: int) -> None:
    """Ask fifty tenants with 200 clients, then every tenant once, and print what happened."""
    tenants = make_tenants(work, count)
    names = list(tenants.tokens)
    crowd, once = Outcome(), Outcome()
    with serve(tenants.data) as (port, process_id), ThreadPoolExecutor(CLIENTS) as threads:
        clients = [
            [(names[client % SHARED], 100 + n // 2) for n in range(QUESTIONS_EACH)]
            for client in range(CLIENTS)
        ]
        with most_memory(process_id) as most_of_crowd:
            list(threads.map(lambda asked: ask(port, tenants, asked, crowd), clients))
        parts = [[(name, 100) for name in names[part::4]] for part in range(4)]
        with most_memory(process_id) as most_of_all:
            list(threads.map(lambda asked: ask(port, tenants, asked, once), parts))
        memory = memory_mib(process_id)
    page.say(
        f"\n{SHARED} tenants, {CLIENTS} clients at the same time, {len(crowd.milliseconds):,}"
        f" requests: {_failures(crowd)}; half within {crowd.share(50):,.0f} ms, 99 % within"
        f" {crowd.share(99):,.0f} ms; at most {most_of_crowd[0]:,.0f} MiB.\n"
    )
    page.say(
        f"{count:,} tenants, each asked once, 4 clients: {_failures(once)}; half within"
        f" {once.share(50):,.0f} ms, 99 % within {once.share(99):,.0f} ms; at most"
        f" {most_of_all[0]:,.0f} MiB, afterwards {memory:,.0f} MiB."
    )


def _failures(outcome: Outcome) -> str:
    refused = {status: number for status, number in outcome.statuses.items() if status != 200}
    numbers = [f"{number} times {status}" for status, number in sorted(refused.items())]
    return f"{outcome.wrong} wrong, {', '.join(numbers) or 'none refused or failed'}"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("build/bench/api-tenants"))
    options = parser.parse_args()
    compare(Page("bench-api"), options.folder.absolute(), options.tenants)


if __name__ == "__main__":
    main()
