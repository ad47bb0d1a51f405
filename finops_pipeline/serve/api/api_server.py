"""The server: `finops serve` on a socket, with graceful shutdown and patience limits.

Put here: uvicorn, its limits, signals. Keep out: the application (api_app.py).
"""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from asyncio import TimerHandle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import SettingError
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.browser_sign_in import BrowserSignIn
from finops_pipeline.serve.api.api_app import build_app
from finops_pipeline.serve.api.api_services import ApiServices
from finops_pipeline.serve.api.rate_limiter import RateLimiter
from finops_pipeline.serve.api.unreadable_requests import MOST_HEAD_BYTES, answer_unreadable
from finops_pipeline.serve.ingest_runner import IngestRunner
from finops_pipeline.serve.landlock import is_available
from finops_pipeline.serve.warehouse_pool import WarehousePool

_HEAD_SECONDS = 10.0
"""Time in which the head of the next request must arrive."""
_KEEP_ALIVE_SECONDS = 10
_BODY_SECONDS = 30.0
_SEND_SECONDS = 60.0
_LOCK_SECONDS = 2.0
"""Time for which a change waits for another one; then it is refused, to be sent again."""

_ADDRESSES = 10
"""How many addresses together may send as many sign-ins as each may."""
_BODY_BYTES = 1_000_000
_SHUTDOWN_SECONDS = 60
_LINGER_SECONDS = 2.0
"""How long bytes are still taken, and forgotten, after the answer to what cannot be read."""

_BACKLOG = 2048


@dataclass(frozen=True)
class Address:
    """Where a server listens. `port` 0: any free port."""

    host: str
    port: int


def build_services(installation: Installation) -> ApiServices:
    """Return the parts of a server for an installation.

    Raises:
        SettingError: settings do not fit together.
        StorageFailure: the key that signs cookies cannot be used.
    """
    settings = installation.settings
    per_minute = settings.serve_requests_per_minute
    access = AccessControl(installation)
    return ApiServices(
        access,
        WarehousePool(installation),
        RateLimiter(per_minute),
        RateLimiter(settings.serve_requests_per_minute_per_tenant),
        RateLimiter(per_minute),
        RateLimiter(settings.serve_sign_ins_per_minute),
        RateLimiter(settings.serve_sign_ins_per_minute * _ADDRESSES),
        _BODY_BYTES,
        _BODY_SECONDS,
        _SEND_SECONDS,
        installation.with_short_waits(_LOCK_SECONDS),
        IngestRunner(installation),
        BrowserSignIn.of(access),
    )


def require_confinement(is_unconfined_allowed: bool) -> None:
    """Refuse to serve where the kernel cannot confine queries to a tenant's folder.

    Args:
        is_unconfined_allowed: whether DuckDB's own settings are enough for whoever starts it.

    Raises:
        SettingError: the kernel has no Landlock, and that is not allowed.
    """
    if not is_unconfined_allowed and not is_available():
        raise SettingError(
            "this system cannot confine queries to a tenant's folder (Landlock)",
            "Linux 5.13 or later",
            "Add --allow-unconfined if DuckDB's own settings are enough for you",
        )


def run_server(
    installation: Installation, address: Address, on_start: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; running answers are finished.

    Args:
        installation: whose tenants are served.
        address: where to listen.
        on_start: receives the URL as soon as requests can be sent.

    Raises:
        SettingError: the address cannot be used.
    """
    with _listen(address) as listener:
        host, port = listener.getsockname()[:2]
        server = build_server(installation)
        on_start(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        server.run(sockets=[listener])


def build_server(installation: Installation) -> uvicorn.Server:
    """Return the server of an installation, which listens nowhere yet."""
    config = uvicorn.Config(
        build_app(build_services(installation)),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return _GracefulServer(config)


@contextmanager
def _listen(address: Address) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port), family=family, backlog=_BACKLOG
        )
        # Connections inherit it. Otherwise the body of an answer, which follows its head, waits for
        # the client's delayed acknowledgement: 40 ms. asyncio sets it only if `proto` is stated.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        is_used = error.errno == errno.EADDRINUSE
        reason = "is in use" if is_used else f"cannot be used ({error.strerror})"
        raise SettingError(
            f"port {address.port} of {address.host} {reason}",
            "an address of this machine and a free port",
            "Choose another one with --port" if is_used else "",
        ) from error
    with listener:
        yield listener


class _GracefulServer(uvicorn.Server):
    """A server that ends without an error after a signal, when running answers are finished."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let a first signal end the server, and a second one end it at once."""
        is_main = threading.current_thread() is threading.main_thread()
        handled = (signal.SIGINT, signal.SIGTERM) if is_main else ()
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class PatientProtocol(H11Protocol):
    """Connections whose next request must arrive in time, also if it begins and never ends."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: TimerHandle | None = None
        self._unsent_bytes = 0
        self._is_ended = False

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._is_ended:
            return
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """End a connection whose bytes cannot be read, with a problem document if there is time."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(answer_unreadable(sys.exc_info()[1]))
        if cycle is not None:  # what the application still answers has nobody to receive it
            cycle.disconnected = True
            cycle.message_event.set()
        # Closed while bytes arrive, the connection is reset, and the client loses the answer.
        self._is_ended = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def on_response_complete(self) -> None:
        """See H11Protocol."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._waiting:
            self._waiting.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the clock while the head of a request is awaited, stop it once it is there."""
        is_awaited = self.cycle is None or self.cycle.response_complete
        if self._waiting and not is_awaited:
            self._waiting.cancel()
            self._waiting = None
        elif is_awaited and not self._waiting:
            self._waiting = self.loop.call_later(_HEAD_SECONDS, self._end)

    def _end(self) -> None:
        """End the connection, unless an answer is still being sent to a client on a slow line."""
        unsent = self.transport.get_write_buffer_size()
        is_read = unsent != self._unsent_bytes
        self._unsent_bytes, self._waiting = unsent, None
        if unsent and is_read:
            self._watch()
        else:
            self.transport.abort()
