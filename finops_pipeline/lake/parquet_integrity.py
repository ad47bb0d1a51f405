"""Integrity of a Parquet file: the checksums of its pages, and contradictions in its footer.

Put here: checks that a Parquet file must pass before its rows are read. Keep out: reading the rows
(DuckDB), compressed text (files.py).

DuckDB reads a page whose bytes have changed as long as it still decodes: a flipped bit in a cost
would be another cost. pyarrow verifies the CRC-32 that a page header may hold (parquet-mr and Arrow
write it), for data and dictionary pages alike. A page without one only has to decode.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.errors import FileProblem, counted
from finops_pipeline.lake.duck import Connection, text

_BATCH_ROWS, _BUFFER_BYTES = 1 << 16, 1 << 20
"""How much of a column is decoded and read at a time: memory does not grow with the file."""

_REPETITIVE_BYTES = 4
"""The most bytes per value, before compression, of a column that is decoded as a dictionary."""

# These checks are our own because pyarrow reads columns by position and never compares their names
# in the schema and in the row groups, and because a schema states a decimal's scale twice: pyarrow
# uses one and DuckDB the other, so that they read different amounts if the two contradict.
_CONTRADICTORY_DECIMALS = (
    "select name, logical_type from parquet_schema({file}) where logical_type like 'Decimal%'"
    " and (precision > 38 or not contains(logical_type, concat('scale=', scale))"
    " or not contains(logical_type, concat('precision=', precision)))"
)


class _Damage(Exception):
    """A defect of a file; leaves this module as a FileProblem."""


def check_parquet(connection: Connection, path: Path, name: str) -> None:
    """Check that a Parquet file is undamaged, as far as the file itself can prove it.

    Args:
        name: the file's name, for messages.

    Raises:
        FileProblem: a page does not match its checksum or cannot be decoded, the footer
            contradicts itself or the pages, or a decimal has more than 38 digits.
    """
    try:
        query = _CONTRADICTORY_DECIMALS.format(file=text(str(path)))
        for column, logical_type in connection.execute(query).fetchall():
            raise _Damage(f"column {column} is a {logical_type}")
        _check_column_names(connection, path)
        _read_every_page(path, _repetitive_columns(connection, path))
    except (_Damage, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FileProblem(
            f"{name} is damaged ({reason})",
            "a complete file as AWS wrote it",
            "Copy or download it again; the previous delivery stays published",
        ) from error


def _read_every_page(path: Path, repetitive: Container[str]) -> None:
    with pq.ParquetFile(path) as file:
        texts = [name for name in _text_columns(file) if name in repetitive]
    options = {"pre_buffer": False, "buffer_size": _BUFFER_BYTES, "read_dictionary": texts}
    with pq.ParquetFile(path, page_checksum_verification=True, **options) as file:
        for column in dict.fromkeys(file.schema_arrow.names):
            _read_column(file, column)


def _check_column_names(connection: Connection, path: Path) -> None:
    """Check that the row groups name their columns as the schema does.

    DuckDB reads the row groups' names: `row_group(n).column(n)` of pyarrow's metadata aborts the
    whole process on some damaged files.
    """
    query = f"select distinct path_in_schema from parquet_metadata({text(str(path))})"
    with_values = {row[0].replace(", ", ".") for row in connection.execute(query).fetchall()}
    with pq.ParquetFile(path) as file:
        paths = [file.schema.column(at).path.replace(", ", ".") for at in range(len(file.schema))]
    missing = [path for path in paths if path not in with_values]
    if with_values and missing:
        raise _Damage(f"column {missing[0]} has no values in the row groups")


def _repetitive_columns(connection: Connection, path: Path) -> frozenset[str]:
    """Return the columns whose values repeat so often that each takes only a few bytes.

    Decoded as dictionaries they take half the time; a column of ids would take six times as long.
    """
    query = (
        f"select path_in_schema from parquet_metadata({text(str(path))}) group by all"
        f" having sum(total_uncompressed_size) <= {_REPETITIVE_BYTES} * sum(num_values)"
    )
    return frozenset(row[0] for row in connection.execute(query).fetchall())


def _text_columns(file: pq.ParquetFile) -> list[str]:
    """Return the flat text columns."""
    columns = [file.schema.column(at) for at in range(len(file.schema))]
    return [c.path for c in columns if c.physical_type == "BYTE_ARRAY" and c.path == c.name]


def _read_column(file: pq.ParquetFile, column: str) -> None:
    """Decode a column's pages and discard them; one column at a time needs the least memory."""
    try:
        batches = file.iter_batches(_BATCH_ROWS, columns=[column], use_threads=False)
        rows = sum(batch.num_rows for batch in batches)
    except (pa.ArrowException, OSError) as error:
        raise _Damage(f"column {column}: {error}") from error
    if rows != file.metadata.num_rows:
        raise _Damage(
            f"column {column} has {counted(rows, 'value')} in"
            f" {counted(file.metadata.num_rows, 'row')}"
        )
