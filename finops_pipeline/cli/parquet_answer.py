"""An answer as a Parquet file.

Put here: what needs pyarrow, which other formats do not import. Keep out: running a query
(serve/queries.py), where the file is written (query.py).
"""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.errors import QueryRefused
from finops_pipeline.serve.queries import Answer


def write_parquet(answer: Answer, sink: BinaryIO) -> None:
    """Write an answer as Parquet, one batch of rows at a time.

    Raises:
        QueryRefused: Parquet has no type for a column, for example a column of intervals.
    """
    with (
        answer.arrow_stream() as stream,
        pa.ipc.open_stream(stream) as reader,
        _writer(sink, reader.schema) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
            answer.note_batch(batch)


def _writer(sink: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    try:
        return pq.ParquetWriter(sink, schema, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise QueryRefused(
            f"Parquet has no type for a column of this answer ({error})",
            "types that Parquet has, such as numbers, text, dates and times",
            "Cast the column in the query, as in cast(COLUMN as varchar), or use --format csv",
        ) from error
