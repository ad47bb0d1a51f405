"""Statements as a Parquet file.

Put here: what needs pyarrow, which other formats do not import. Keep out: the rows
(statement_output.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.cli.show import Row
from finops_pipeline.contracts.column import COUNT, MONEY, Column
from finops_pipeline.contracts.statement_tables import PERCENT, STATEMENTS

_TYPES = {COUNT: pa.int64(), MONEY: pa.decimal128(38, 18), PERCENT: pa.decimal128(9, 4)}
_PRINTED = Column("printed_amount", MONEY, "Amount as it is printed.")


def write_parquet(rows: Sequence[Row], sink: BinaryIO) -> None:
    """Write rows with the columns of the table `statements` and the printed amount."""
    columns = (*STATEMENTS.columns, _PRINTED)
    schema = pa.schema([(c.name, _TYPES.get(c.type, pa.string())) for c in columns])
    values = [
        pa.array([row[position] for row in rows], type=field.type)
        for position, field in enumerate(schema)
    ]
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        writer.write_batch(pa.record_batch(values, schema=schema))
