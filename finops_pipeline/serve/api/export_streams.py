"""Answers that are sent while they are read: CSV, Parquet and Arrow streams of any length.

Put here: turning rows into bytes portion by portion, and sending them. Keep out: which tables can
be exported (export_endpoints.py).

An answer that fails after it has begun is left incomplete: the server closes the connection, so
that the client does not take a part for the whole.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from anyio import CancelScope
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Send

from finops_pipeline.application.refusals import as_expected
from finops_pipeline.log import LOGGER
from finops_pipeline.serve.csv_lines import csv_line
from finops_pipeline.serve.sandbox import Sandbox
from finops_pipeline.serve.warehouse_pool import ExportedWarehouse

Portions = Generator[bytes, None, None]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_END = b""


@dataclass
class RowCount:
    """The rows that were sent so far."""

    rows: int = 0


@dataclass(frozen=True)
class ExportedRows:
    """The rows of a SELECT of ours, and where they are counted."""

    exported: ExportedWarehouse
    sql: str
    values: Mapping[str, Any]
    count: RowCount

    def portions(self, format: str) -> Iterator[bytes]:
        """Yield the rows in a format, each portion computed in a turn of its own."""
        if format == "csv":
            portions = self._csv()
        else:
            portions = self._arrow(_parquet_writer if format == "parquet" else pa.ipc.new_stream)
        with closing(portions):
            while True:
                with self.exported.turn():
                    portion = next(portions, None)
                if portion is None:
                    return
                yield portion

    def _csv(self) -> Portions:
        connection = self._sandbox.execute(self.sql, self.values)
        yield csv_line([column[0] for column in connection.description or []]).encode()
        for rows in connection.portions():
            self.count.rows += len(rows)
            yield "".join(csv_line(row) for row in rows).encode("utf-8", "replace")

    def _arrow(self, open_writer: Callable[[Any, pa.Schema], Any]) -> Portions:
        statement = self._sandbox.prepare(self.sql)
        sink = _Sink()
        with (
            self._sandbox.connection.arrow_stream(statement, self.values or None) as stream,
            pa.ipc.open_stream(stream) as reader,
        ):
            with open_writer(sink, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    self.count.rows += batch.num_rows
                    yield sink.take()
            yield sink.take()

    @property
    def _sandbox(self) -> Sandbox:
        return self.exported.warehouse.sandbox


def _parquet_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(sink, schema, compression="zstd")


class _Sink(io.RawIOBase):
    """A file that is taken away piece by piece while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def write(self, data: Any) -> int:
        """See io.RawIOBase."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        """See io.RawIOBase."""
        return self._position

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken


class ExportResponse(StreamingResponse):
    """Sends portions; a client that takes none for too long loses the connection."""

    def __init__(self, portions: Portions, media_type: str, send_seconds: float) -> None:
        super().__init__(iter(()), media_type=media_type)
        self._portions = portions
        self._send_seconds = send_seconds

    async def stream_response(self, send: Send) -> None:
        """Send everything; see StreamingResponse."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while portion := await run_sync(next, self._portions, _END):
                async with asyncio.timeout(self._send_seconds):
                    await send({"type": "http.response.body", "body": portion, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception as error:
            if as_expected(error) is None:
                raise
            logging.getLogger(LOGGER).warning("an export has ended early: %s", type(error).__name__)
        finally:
            with CancelScope(shield=True):
                await run_sync(self._portions.close)
