"""A CloudWatch on 127.0.0.1: a real HTTP server that speaks its JSON protocol, and that of STS.

Put here: answers that tests need, page by page, and the faults that they need. Keep out: what a
test expects of it. moto has no percentiles and reads every datapoint for every metric, so that it
can neither answer our requests nor serve many of them. Values are computed from the series and the
day, so that every request has one true answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from zlib import crc32

Result = dict[str, Any]


def value(account: str, resource: str, metric: str, statistic: str, day: str) -> float:
    """Return the true statistic of a day."""
    return crc32("|".join((account, resource, metric, statistic, day)).encode()) % 1000 / 8


@dataclass
class CloudWatchScript:
    """The requests that the server received and how it answers; tests change it as they go."""

    requests: int = 0
    metrics: int = 0
    per_page: int = 500
    units: set[str] = field(default_factory=set)
    periods: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    denied_resources: set[str] = field(default_factory=set)
    silent_resources: set[str] = field(default_factory=set)
    change: Callable[[Result, dict[str, Any]], None] | None = None
    """A function that may spoil a result, given its query."""
    answer: Callable[[Result, dict[str, Any], str], None] | None = None
    """A function that gives a result its values, given its query and account."""
    restated: float = 0.0
    """What is added to every value from now on."""


def _result(
    query: dict[str, Any], account: str, days: list[str], script: CloudWatchScript
) -> Result:
    stat = query["MetricStat"]
    metric = stat["Metric"]
    resource = metric["Dimensions"][0]["Value"]
    script.units.add(stat["Unit"])
    if resource in script.denied_resources:
        return {"Id": query["Id"], "StatusCode": "Forbidden", "Timestamps": [], "Values": []}
    if resource in script.silent_resources:
        return {"Id": query["Id"], "StatusCode": "Complete", "Timestamps": [], "Values": []}
    name = f"{metric['Namespace']} {metric['MetricName']}"
    made: Result = {
        "Id": query["Id"],
        "Label": metric["MetricName"],
        "StatusCode": "Complete",
        "Timestamps": [datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() for day in days],
        "Values": [
            value(account, resource, name, stat["Stat"], day) + script.restated for day in days
        ],
    }
    if script.answer:
        script.answer(made, query, account)
    if script.change:
        script.change(made, query)
    return made


def _days(body: dict[str, Any]) -> list[str]:
    first, end = (datetime.fromtimestamp(body[n], UTC) for n in ("StartTime", "EndTime"))
    return [str((first + timedelta(days=n)).date()) for n in range((end - first).days)]


def _handler(script: CloudWatchScript) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            credential = re.search(r"Credential=([^/]+)/", self.headers["Authorization"])
            key = credential[1] if credential else ""
            if "X-Amz-Target" not in self.headers:
                self._answer_sts(parse_qs(raw.decode()), key)
                return
            assert self.headers["X-Amz-Target"].endswith(".GetMetricData")
            body = json.loads(raw)
            script.requests += 1
            if script.faults:
                status, code = script.faults.pop(0)
                self._send(status, json.dumps({"__type": code, "message": "not now"}))
                return
            days, queries = _days(body), body["MetricDataQueries"]
            assert len(queries) <= 500
            page = int(body.get("NextToken", "0"))
            if not page:
                script.metrics += len(queries)
                script.periods.append((days[0], days[-1]))
            part = queries[page * script.per_page : (page + 1) * script.per_page]
            account = key.removeprefix("ASIA")
            answer: dict[str, Any] = {
                "MetricDataResults": [_result(q, account, days, script) for q in part]
            }
            if (page + 1) * script.per_page < len(queries):
                answer["NextToken"] = str(page + 1)
            self._send(200, json.dumps(answer))

        def _answer_sts(self, form: dict[str, list[str]], key: str) -> None:
            action = form["Action"][0]
            if action == "AssumeRole":
                account = form["RoleArn"][0].split(":")[4]
                until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
                answer_text = (
                    f"<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>s"
                    f"</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{until}"
                    "</Expiration></Credentials>"
                )
            else:
                account = key.removeprefix("ASIA")
                answer_text = (
                    f"<Arn>arn:aws:sts::{account}:assumed-role/r/s</Arn><Account>{account}"
                )
                answer_text += "</Account><UserId>u</UserId>"
            space = "https://sts.amazonaws.com/doc/2011-06-15/"
            body = (
                f'<{action}Response xmlns="{space}"><{action}Result>{answer_text}</{action}Result>'
            )
            self._send(200, f"{body}</{action}Response>", "text/xml")

        def _send(self, status: int, body: str, kind: str = "application/x-amz-json-1.0") -> None:
            raw = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def cloudwatch() -> Iterator[tuple[str, CloudWatchScript]]:
    """Run a server; yield its URL and its script."""
    script = CloudWatchScript()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
