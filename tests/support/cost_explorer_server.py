"""A Cost Explorer on 127.0.0.1: a real HTTP server that speaks the API's JSON protocol.

Put here: the answers that tests need, page by page, and the faults that they need. Keep out: what a
test expects of it. Costs are computed from day, service and account, so that every range has one
true sum.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

SERVICES = ("Amazon Simple Storage Service", 'EC2 - "Other", é')
ACCOUNTS = ("111122223333", "444455556666", "001122334455")


def cost(day: date, service: str, account: str, factor: int = 1) -> Decimal:
    """Return a service's cost on a day in an account: 17 decimals, some below zero."""
    position = SERVICES.index(service) * 3 + ACCOUNTS.index(account)
    cents = (day.toordinal() % 97 + 1) * (position + 1) * factor
    return Decimal(cents - 120) / 8 + Decimal("0.00000000000000007") * day.day


@dataclass
class ServerScript:
    """The requests that the server received and how it answers; tests change it as they go."""

    final_until: date = date.max
    per_page: int = 1000
    faults: list[tuple[int, str]] = field(default_factory=list)
    periods: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0
    loop: bool = False
    quiet: bool = False
    change: Any = None
    """A function that may spoil an answer's entries before they are sent."""

    def days(self) -> list[str]:
        """List every requested day, in order, as often as it was requested."""
        days = []
        for start, end in self.periods:
            first, last = date.fromisoformat(start), date.fromisoformat(end)
            days += [str(first + timedelta(days=n)) for n in range((last - first).days)]
        return days

    def entries(self, start: str, end: str) -> list[dict[str, Any]]:
        """List one entry for each day, grouped by service and account."""
        first = date.fromisoformat(start)
        days = [first + timedelta(days=n) for n in range((date.fromisoformat(end) - first).days)]
        made = [
            {
                "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
                "Total": {},
                "Groups": []
                if self.quiet
                else [_group(day, s, a) for s in SERVICES for a in ACCOUNTS],
                "Estimated": day >= self.final_until,
            }
            for day in days
        ]
        if self.change:
            self.change(made)
        return made


def _group(day: date, service: str, account: str) -> dict[str, Any]:
    amounts = {"UnblendedCost": 1, "AmortizedCost": 3}
    return {
        "Keys": [service, account],
        "Metrics": {
            name: {"Amount": format(cost(day, service, account, factor), "f"), "Unit": "USD"}
            for name, factor in amounts.items()
        },
    }


def _handler(script: ServerScript) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.requests += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "AWSInsightsIndexService.GetCostAndUsage"
            assert "Credential=" in self.headers["Authorization"]
            if script.faults:
                status, code = script.faults.pop(0)
                self._answer(status, {"__type": code, "message": "not now"})
                return
            period = body["TimePeriod"]
            page = int(body.get("NextPageToken", "0"))
            if not page:
                script.periods.append((period["Start"], period["End"]))
            groups = script.entries(period["Start"], period["End"])
            self._answer(200, _page(groups, page, script))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler


def _page(entries: list[dict[str, Any]], page: int, script: ServerScript) -> dict[str, Any]:
    """Cut the groups of an answer into pages, also within a day."""
    flat = [(entry, group) for entry in entries for group in entry["Groups"] or [None]]
    page_groups = flat[page * script.per_page : (page + 1) * script.per_page]
    entries_of_page: dict[int, dict[str, Any]] = {}
    for entry, group in page_groups:
        entry_of_page = entries_of_page.setdefault(id(entry), {**entry, "Groups": []})
        entry_of_page["Groups"] += [group] if group else []
    more = (page + 1) * script.per_page < len(flat)
    token = {"NextPageToken": str(page if script.loop and page else page + 1)} if more else {}
    return {
        "ResultsByTime": list(entries_of_page.values()),
        "DimensionValueAttributes": [],
        **token,
    }


@contextmanager
def explorer() -> Iterator[tuple[str, ServerScript]]:
    """Run a server; yield its URL and its script."""
    script = ServerScript()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
