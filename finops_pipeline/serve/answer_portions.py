"""Answers in portions, each of which fits into one message to the process that asked.

Put here: dividing rows and Arrow batches by their size. Keep out: messages (worker.py, frames.py),
running statements.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

from finops_pipeline.lake.duck import Connection
from finops_pipeline.serve.frames import PORTION_ROWS, ROWS_BYTES, pack

_BATCH_ROWS = 100_000


class RowPortions:
    """The rows of the last statement of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept: list[Any] = []
        self._is_fetched = True

    def begin(self, has_rows: bool) -> None:
        """Begin with the rows of another statement, or have none."""
        self._kept, self._is_fetched = [], not has_rows

    def fetch(self) -> tuple[bytes, bool]:
        """Return the next rows, packed, and whether they are the last."""
        rows, self._kept = self._kept, []
        if not rows and not self._is_fetched:
            rows = self._connection.fetchmany(PORTION_ROWS)
            self._is_fetched = len(rows) < PORTION_ROWS
        packed = pack(rows)
        while len(packed) > ROWS_BYTES and len(rows) > 1:
            middle = len(rows) // 2
            self._kept = rows[middle:] + self._kept
            rows = rows[:middle]
            packed = pack(rows)
        return packed, self._is_fetched and not self._kept


class ArrowPortions:
    """The bytes of an Arrow IPC stream over an answer, one batch at a time."""

    def __init__(self, relation: Any) -> None:
        reader = relation.to_arrow_reader(_BATCH_ROWS)
        self._batches = (part for batch in reader for part in _parts_of(batch))
        self._sink = _Sink()
        # DuckDB has imported pyarrow to make the reader. Other answers do not need it.
        arrow: Any = sys.modules["pyarrow"]
        self._writer = arrow.ipc.new_stream(self._sink, reader.schema)
        self._is_at_end = False

    def fetch(self) -> tuple[int, bytes]:
        """Return the number of rows of the next batch, and its bytes; no bytes after the end."""
        if self._is_at_end:
            return 0, b""
        batch = next(self._batches, None)
        if batch is None:
            self._is_at_end = True
            self._writer.close()
            return 0, self._sink.take()
        self._writer.write_batch(batch)
        return batch.num_rows, self._sink.take()


def _parts_of(batch: Any) -> Iterator[Any]:
    """Yield a batch in parts of which each fits into a message, unless it is a single row."""
    if batch.nbytes <= ROWS_BYTES or batch.num_rows <= 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _parts_of(batch.slice(0, middle))
    yield from _parts_of(batch.slice(middle))


class _Sink(io.RawIOBase):
    """A file that keeps what is written to it until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()
        self._position = 0

    def writable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def tell(self) -> int:
        """See io.RawIOBase."""
        return self._position

    def write(self, data: Any) -> int:
        """See io.RawIOBase."""
        size = memoryview(data).nbytes
        self._written += data
        self._position += size
        return size

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken, self._written = bytes(self._written), bytearray()
        return taken
