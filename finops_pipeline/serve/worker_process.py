"""Starting the process of a reader's queries, waiting for its answers, and ending it.

Put here: the worker as seen by the process that started it, and what is reported when a limit is
reached. Keep out: what the worker does (worker.py), cursors over it (worker_connection.py).

A worker is started and not forked: a fork would hold the credentials, locks and other tenants' data
of this process, and would hang if another thread held a lock.
"""

from __future__ import annotations

import pickle
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from finops_pipeline import clock
from finops_pipeline.errors import QueryRefused, QueryStopped, SettingError
from finops_pipeline.lake.duck import QueryLimits, error_class
from finops_pipeline.serve.frames import (
    MESSAGE_BYTES,
    Opening,
    read_values,
    receive_bytes,
    receive_size,
    send,
)
from finops_pipeline.serve.query_stops import (
    bytes_stop,
    duration_stop,
    failure_stop,
    memory_stop,
    processor_stop,
    row_stop,
)
from finops_pipeline.settings import worker_environment

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from finops_pipeline.serve.worker import main;"
    " main(int(sys.argv[1]))"
)
_ENDING_SECONDS = 5
_LEAST_SECONDS = 0.01
"""0 would mean not to wait at all."""
_PATIENCE_SECONDS = 60
"""For the worker's own start and for reading the tenant's file before the first query."""


class BlankWorker:
    """A process that was started and knows nothing yet: it waits to be told what it may read."""

    def __init__(self) -> None:
        self.channel, worker_end = socket.socketpair()
        with worker_end:
            self.process = _start(worker_end)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.channel.close()


class WorkerProcess:
    """A process that runs queries on one tenant's file, for one thread at a time.

    Args:
        readable: the files and folders of the tenant that it may read.
        limits: of each query.
        blank: the process, if it is started already; it serves nothing else before or afterwards.
    """

    def __init__(
        self, readable: Sequence[Path], limits: QueryLimits, blank: BlankWorker | None = None
    ) -> None:
        self.limits = limits
        self.received_bytes = 0
        self._is_ready = False
        self._seconds_left: float = _PATIENCE_SECONDS
        self._blank = blank or BlankWorker()
        self._channel, self._process = self._blank.channel, self._blank.process
        send(
            self._channel,
            Opening(
                tuple(map(str, readable)),
                limits.memory_bytes,
                limits.threads,
                limits.processor_seconds,
            ),
        )

    @property
    def is_open(self) -> bool:
        """Whether it can answer messages."""
        return self._channel.fileno() >= 0

    @property
    def is_running(self) -> bool:
        """Whether it can answer, and has not ended by itself."""
        return self.is_open and self._process.poll() is None

    @property
    def private_bytes(self) -> int:
        """The memory that it holds alone, without libraries; 0 where the system does not say."""
        try:
            pages = Path(f"/proc/{self.process_id}/statm").read_text(encoding="ascii").split()
        except OSError:
            return 0
        resident, shared = map(int, pages[1:3])
        return (resident - shared) * resource.getpagesize()

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    def allow_time(self) -> None:
        """Start the time limit of a query now; it holds for all answers together."""
        self._seconds_left = self.limits.seconds

    def request(self, operation: str, *arguments: object) -> Any:
        """Send a message and return the answer, see `receive`."""
        self.send(operation, *arguments)
        return self.receive()

    def send(self, operation: str, *arguments: object) -> None:
        """Send a message without waiting for its answer."""
        if not self._is_ready:
            self._wait_for_start()
        try:
            send(self._channel, (self._seconds_left, operation, *arguments))
        except OSError:
            self._raise_end()
        except BaseException:
            self.close()
            raise

    def receive(self) -> Any:
        """Return the answer to a message.

        Raises:
            QueryStopped: a limit of the query was reached; the process has ended.
            QueryRefused: the guard refuses the statement.
            DuckDBError: DuckDB cannot answer it.
            RuntimeError: the worker has a defect.
        """
        kind, *content = self._receive_message()
        if kind == "ok":
            return content[0]
        if kind == "refused":
            raise QueryRefused(*content)
        if kind == "duckdb":
            raise error_class(content[0])(content[1])
        self.close()
        if kind == "memory":
            raise memory_stop(self.limits)
        if kind == "failed":
            raise failure_stop(self.limits, content[0])
        raise RuntimeError(f"the worker has a defect: {content}")

    def read_rows(self, packed: bytes) -> list[Any]:
        """Return the rows of an answer.

        Raises:
            QueryStopped: they are no values; the process has ended.
        """
        try:
            rows: list[Any] = read_values(packed)
            return rows
        except pickle.UnpicklingError:
            self._raise_end()

    def close(self) -> None:
        """End the process, whatever it does; it leaves nothing behind."""
        self._blank.close()

    def _wait_for_start(self) -> None:
        is_confined = self.receive()
        self._is_ready = True
        if self.limits.is_landlock_required and not is_confined:
            self.close()
            raise SettingError(
                "this system cannot confine queries to a tenant's folder (Landlock)",
                "Linux 5.13 or later, because FINOPS_REQUIRE_LANDLOCK is true",
                "Unset FINOPS_REQUIRE_LANDLOCK; then DuckDB's own settings confine them",
            )

    def _receive_message(self) -> Any:
        started = clock.stopwatch()
        self._channel.settimeout(max(self._seconds_left, _LEAST_SECONDS))
        try:
            size = receive_size(self._channel)
            self._seconds_left -= clock.stopwatch() - started
            self.received_bytes += size
            if self.received_bytes > self.limits.answer_bytes:
                self.close()
                raise bytes_stop(self.limits)
            if size > MESSAGE_BYTES:
                self.close()
                raise row_stop()
            return read_values(receive_bytes(self._channel, size))
        except TimeoutError:
            self.close()
            raise duration_stop(self.limits) from None
        except (EOFError, OSError, pickle.UnpicklingError):
            self._raise_end()
        except BaseException:
            # For example Ctrl-C. The rest of this answer must not be mistaken for the next one.
            self.close()
            raise

    def _raise_end(self) -> NoReturn:
        """Close the channel and report why the process ended by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
        self.close()
        if not self._is_ready:
            raise RuntimeError(f"the worker did not start: exit code {self._process.returncode}")
        raise _stop_of(self._process.returncode, self.limits)


def _stop_of(exit_code: int, limits: QueryLimits) -> QueryStopped:
    if exit_code == -signal.SIGALRM:
        return duration_stop(limits)
    if exit_code == -signal.SIGXCPU:
        return processor_stop(limits)
    name = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    return failure_stop(limits, name)


def _start(channel: socket.socket) -> subprocess.Popen[bytes]:
    package_folder = str(Path(__file__).parents[2])
    paths = [path for path in sys.path if Path(path).is_absolute()]
    arguments = [str(channel.fileno()), *paths, package_folder]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[channel.fileno()],
        env=worker_environment(),
        cwd="/",
    )
