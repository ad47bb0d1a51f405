"""Messages between a process and the worker that runs its queries, over one socket.

Put here: sending and receiving messages, and what a message from a worker may contain. Keep out:
which further messages there are (worker.py, worker_process.py).

A message is the number of its bytes and a pickle. A worker runs untrusted SQL, so a message
from a worker can contain the values of an answer and nothing else: no other class, no call.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

PORTION_ROWS = 2_000
"""Most rows of one message. Ten thousand would be little faster, and five times as large."""

MESSAGE_BYTES = 16_000_000
"""Most bytes of one message from a worker, so that the memory of a server is bounded. A message of
wide rows has fewer of them."""

ROWS_BYTES = MESSAGE_BYTES // 2
"""Most bytes of rows in one message, unless a single row has more."""

_SIZE = ">Q"
_SIZE_BYTES = 8
_PROTOCOL = 5

_VALUES: Mapping[tuple[str, str], type] = {
    ("decimal", "Decimal"): Decimal,
    ("datetime", "date"): date,
    ("datetime", "datetime"): datetime,
    ("datetime", "time"): time,
    ("datetime", "timedelta"): timedelta,
    ("datetime", "timezone"): timezone,
    ("uuid", "UUID"): UUID,
    ("zoneinfo", "ZoneInfo"): ZoneInfo,
}
"""The classes of the values that DuckDB returns, besides those that pickles have of their own."""


@dataclass(frozen=True)
class Opening:
    """The first message to a worker: what it may read, and the limits of a query."""

    readable: tuple[str, ...]
    memory_bytes: int
    threads: int
    processor_seconds: int


class _ValueUnpickler(pickle.Unpickler):
    """Reads an untrusted message."""

    def find_class(self, module: str, name: str) -> type:
        """Return one of the classes of values, see pickle.Unpickler."""
        if (module, name) not in _VALUES:
            raise pickle.UnpicklingError(f"{module}.{name} is not the class of a value")
        return _VALUES[module, name]


def send(channel: socket.socket, message: object) -> None:
    """Send a message."""
    body = pack(message)
    channel.sendall(struct.pack(_SIZE, len(body)))
    channel.sendall(body)


def pack(message: object) -> bytes:
    """Return a message as it is sent, or a part of one that is packed before the rest."""
    body = io.BytesIO()
    pickler = pickle.Pickler(body, _PROTOCOL)
    pickler.dispatch_table = {ZoneInfo: _reduce_zone}
    pickler.fast = True  # Values repeat rarely; looking them up costs as much as writing them.
    pickler.dump(message)
    return body.getvalue()


def receive_size(channel: socket.socket) -> int:
    """Return the number of bytes of the next message.

    Raises:
        EOFError: the other process has ended.
    """
    (size,) = struct.unpack(_SIZE, receive_bytes(channel, _SIZE_BYTES))
    return int(size)


def receive_bytes(channel: socket.socket, size: int) -> bytearray:
    """Return this many bytes.

    Raises:
        EOFError: the other process has ended.
    """
    body = bytearray(size)
    view, position = memoryview(body), 0
    while position < size:
        received = channel.recv_into(view[position:])
        if not received:
            raise EOFError
        position += received
    return body


def read_values(body: bytes | bytearray) -> Any:
    """Return the next message from a worker.

    Raises:
        pickle.UnpicklingError: it contains something other than values.
    """
    return _ValueUnpickler(io.BytesIO(body)).load()


def receive_trusted(channel: socket.socket) -> Any:
    """Return the next message from the process that started this worker.

    Raises:
        EOFError: that process has ended.
    """
    return pickle.loads(receive_bytes(channel, receive_size(channel)))


def _reduce_zone(zone: ZoneInfo) -> tuple[type[ZoneInfo], tuple[str]]:
    return ZoneInfo, (zone.key,)
