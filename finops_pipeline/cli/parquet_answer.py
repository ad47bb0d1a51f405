"""An answer as a Parquet file.

Put here: what needs pyarrow, which other formats do not import. Keep out: running a query
(serve/queries.py), where the file is written (query.py).
"""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.serve.queries import Answer


def write_parquet(answer: Answer, sink: BinaryIO) -> None:
    """Write an answer as Parquet, one batch of rows at a time."""
    with (
        answer.arrow_stream() as stream,
        pa.ipc.open_stream(stream) as reader,
        pq.ParquetWriter(sink, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
            answer.note_batch(batch)
