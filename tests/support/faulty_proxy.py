"""An HTTP proxy on 127.0.0.1 in front of a good store, which misbehaves according to a script.

Put here: forwarding requests to the real server, and choosing the fault that is due for each of
them. Keep out: the faults themselves (line_faults.py); what an ingest must make of them
(test_faults.py).
"""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.support.servers import Store

FOREVER = 1 << 30
_HOP = {"transfer-encoding", "connection", "keep-alive", "content-length", "date", "server"}


@dataclass
class StoreRequest:
    """A request as it arrived: `list`, `manifest` or `data`; its key or prefix; its first byte."""

    kind: str
    key: str
    begin: int
    status: int = 0
    sent: int = 0
    fault: str = ""


@dataclass
class Answer:
    """A server's complete answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Exchange(BaseHTTPRequestHandler):
    """One request and how it is answered."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_GET(self) -> None:
        """Answer the request, with the fault that is due if there is one."""
        self.calm = self.server.calm
        self.store_request = _store_request(self.path, self.headers.get("Range", ""))
        deed = self.server.deed_for(self.store_request)
        try:
            deed(self)
        except ConnectionError:  # the client closed the connection
            self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""

    def forward(self) -> Answer:
        """Send the request to the real server and return its answer."""
        host, _, port = self.server.upstream.rpartition(":")
        line = HTTPConnection(host, int(port), timeout=30)
        try:
            line.request("GET", self.path, headers=dict(self.headers.items()))
            got = line.getresponse()
            headers = {k: v for k, v in got.getheaders() if k.lower() not in _HOP}
            answer = Answer(got.status, got.read(), headers)
            if got.status == 200:
                self.server.whole[self.store_request.key] = answer
            return answer
        finally:
            line.close()

    def begin(self, answer: Answer) -> None:
        """Send status and headers, which announce the complete body."""
        self.store_request.status = answer.status
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def send(self, block: bytes) -> None:
        """Send a piece of the body, at once."""
        self.wfile.write(block)
        self.wfile.flush()
        self.store_request.sent += len(block)

    def answer(self, answer: Answer) -> None:
        """Send the complete answer."""
        self.begin(answer)
        self.send(answer.body)

    def wait(self, seconds: float) -> None:
        """Do nothing for a while, unless the proxy ends or its script changes."""
        self.calm.wait(seconds)

    def hang_up(self) -> None:
        """Close the connection normally, although more was announced."""
        self.close_connection = True

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        time.sleep(0.1)  # what was sent arrives first
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        os.close(self.connection.detach())


Deed = Callable[[Exchange], None]


def _store_request(target: str, bytes_: str) -> StoreRequest:
    parts = urlsplit(target)
    parameters = parse_qs(parts.query)
    begin = re.match(r"bytes=(\d+)", bytes_)
    if "list-type" in parameters:
        return StoreRequest("list", parameters.get("prefix", [""])[0], 0)
    key = unquote(parts.path).split("/", 2)[-1]
    kind = "manifest" if key.endswith("anifest.json") else "data"
    return StoreRequest(kind, key, int(begin.group(1)) if begin else 0)


@dataclass
class Fault:
    """When the proxy misbehaves, and how.

    `kind` is list, manifest, data or empty (all). `key` is the beginning of the key or prefix and,
    after `*`, its end. The first `after` such requests pass; the next `times` go wrong.
    """

    deed: Deed
    kind: str = ""
    key: str = ""
    times: int = 1
    after: int = 0


def fits(pattern: str, key: str) -> bool:
    """Whether a fault's pattern matches a key."""
    begin, _, end = pattern.partition("*")
    return key.startswith(begin) and key.endswith(end)


def passes() -> Deed:
    """Forward the request without a fault."""
    return lambda to: to.answer(to.forward())


class FaultyServer(ThreadingHTTPServer):
    """The proxy. `log` holds all requests since the last script."""

    daemon_threads, block_on_close = True, False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.upstream = upstream.removeprefix("http://")
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.calm, self._lock = threading.Event(), threading.Lock()
        self.script()

    def script(self, *faults: Fault) -> None:
        """Start again with these faults; without any, every request is forwarded."""
        self.calm.set()
        with self._lock:
            self.calm = threading.Event()
            self.log: list[StoreRequest] = []
            self.whole: dict[str, Answer] = {}
            self._faults = [[fault, fault.after, fault.times] for fault in faults]

    def deed_for(self, request: StoreRequest) -> Deed:
        """Choose how to answer a request, and log it."""
        with self._lock:
            self.log.append(request)
            for entry in self._faults:
                fault, to_pass, left = entry
                if (
                    not left
                    or fault.kind not in ("", request.kind)
                    or not fits(fault.key, request.key)
                ):
                    continue
                if to_pass:
                    entry[1] -= 1
                    continue
                entry[2] -= 1
                request.fault = fault.deed.__qualname__.split(".")[0]
                return fault.deed
        return passes()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that closed their connection."""


@pytest.fixture(scope="session")
def line(store: Store) -> Iterator[FaultyServer]:
    """A proxy in front of the store."""
    server = FaultyServer(store.url)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.calm.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
