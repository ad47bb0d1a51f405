"""A Parquet file against itself: checksums of its pages, and what its footer says twice.

Put here: walking the page headers of a file, CRC-32 of each page, contradictions in the footer.
Keep out: decoding pages (DuckDB does), compressed texts (files.py).

DuckDB reads a page whose bytes have changed as long as it still decodes: a flipped bit in a cost
would be another cost. Parquet's format (PageHeader, field 4) has a CRC of each page's bytes;
parquet-mr and Arrow write it. A file without them is taken as it is.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import Connection, text

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)
_SIZE, _CRC, _DATA, _DATA_2 = 3, 4, 5, 8
"""Fields of a PageHeader; of the headers inside it, field 1 is the number of values."""


@dataclass(frozen=True)
class _Page:
    begin: int
    size: int
    crc: int | None
    values: int
    """Values of a data page; 0 for a dictionary."""


def check_parquet(connection: Connection, path: Path, name: str, columns: Iterable[str]) -> None:
    """See that a Parquet file is as it was written, as far as it says twice what it says.

    Args:
        name: the file's name, for messages.
        columns: its columns as DuckDB names them.

    Raises:
        FileProblem: a page's bytes do not have its checksum, page headers make no sense, the
            footer contradicts itself, or a number has more digits than can be read.
    """
    file = text(str(path))
    try:
        for column, kind in connection.execute(_DECIMALS.format(file=file)).fetchall():
            raise _Damage(f"column {column} is a {kind}")
        chunks = connection.execute(_CHUNKS.format(file=file)).fetchall()
        for column in columns if chunks else ():
            if not any(_is_of(column, chunk[0]) for chunk in chunks):
                raise _Damage(f"there are no values of column {column}")
        if any(values for _, values, *_ in chunks):
            _check_chunks(path, chunks)
    except _Damage as error:
        raise FileProblem(f"{name} is damaged ({error})", _WHOLE, _AGAIN) from error


_WHOLE = "a complete file as AWS wrote it"
_AGAIN = "Copy or download it again; the previous delivery stays published"
_DECIMALS = (
    "select name, logical_type from parquet_schema({file}) where logical_type like 'Decimal%'"
    " and (precision > 38 or not contains(logical_type, concat('scale=', scale))"
    " or not contains(logical_type, concat('precision=', precision)))"
)
"""Scale and precision stand in the footer twice: another scale would be another amount."""
_CHUNKS = (
    "select path_in_schema, num_values, row_group_num_rows, dictionary_page_offset,"
    " data_page_offset from parquet_metadata({file})"
)


def _is_of(column: str, path: str) -> bool:
    """Whether values of that path are a column's; DuckDB adds _1 to a name that comes again."""
    plain = _AGAIN_NUMBER.sub("", column)
    return any(path == own or path.startswith(f"{own}, ") for own in (column, plain))


def _check_chunks(path: Path, chunks: list[tuple[str, int, int, int, int]]) -> None:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        for column, values, rows, *offsets in chunks:
            if values != rows and ", " not in column:
                raise _Damage(f"column {column} has {values} values in {rows} rows")
            begin = min((offset for offset in offsets if offset), default=0)
            try:
                _check_chunk(raw, begin, values)
            except (_Damage, IndexError, OverflowError) as error:
                said = str(error) if isinstance(error, _Damage) else "a page is cut off"
                raise _Damage(f"column {column}: {said}") from error


_AGAIN_NUMBER = re.compile(r"_\d+$")


class _Damage(Exception):
    """What is wrong with a page."""


def _check_chunk(raw: mmap.mmap, begin: int, values: int) -> None:
    for page in _pages(raw, begin, values):
        if page.crc is None:
            return  # a writer gives all pages one, or none
        with memoryview(raw) as view, view[page.begin : page.begin + page.size] as content:
            if zlib.crc32(content) != page.crc & 0xFFFFFFFF:
                raise _Damage(f"the page at byte {page.begin} does not have its checksum")


def _pages(raw: mmap.mmap, begin: int, values: int) -> Iterator[_Page]:
    seen = 0
    while seen < values:
        page = _Reader(raw, begin).page()
        if page.size < 0 or page.values < 0 or page.begin + page.size > len(raw):
            raise _Damage(f"the page at byte {begin} has no sense")
        begin, seen = page.begin + page.size, seen + page.values
        yield page
    if seen != values:
        raise _Damage(f"{seen} values instead of {values}")


class _Reader:
    """Thrift's compact protocol, as much of it as a PageHeader has."""

    def __init__(self, raw: mmap.mmap, at: int) -> None:
        self._raw, self._at = raw, at

    def page(self) -> _Page:
        """The page whose header begins here."""
        numbers: dict[int, int] = {}
        values = 0
        for field, kind in self._fields():
            if kind in _INTEGERS:
                numbers[field] = self._integer()
            elif kind == _STRUCT and field in (_DATA, _DATA_2):
                values = self._first_number()
            else:
                self._skip(kind)
        if _SIZE not in numbers:
            raise _Damage(f"there is no page header before byte {self._at}")
        return _Page(self._at, numbers[_SIZE], numbers.get(_CRC), values)

    def _fields(self) -> Iterator[tuple[int, int]]:
        field = 0
        while (head := self._byte()) & 15 != _STOP:
            field = field + (head >> 4) if head >> 4 else self._integer()
            yield field, head & 15

    def _first_number(self) -> int:
        found = 0
        for field, kind in self._fields():
            if field == 1 and kind in _INTEGERS:
                found = self._integer()
            else:
                self._skip(kind)
        return found

    def _skip(self, kind: int) -> None:
        if kind in _INTEGERS:
            self._integer()
        elif kind == _BYTE:
            self._at += 1
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            size = self._varint()
            self._at += size
        elif kind == _STRUCT:
            for _, inner in self._fields():
                self._skip(inner)
        elif kind == _LIST:
            head = self._byte()
            for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
                self._skip(_BYTE if head & 15 in (_TRUE, _FALSE) else head & 15)
        elif kind not in (_TRUE, _FALSE):
            raise _Damage(f"there is no page header at byte {self._at}")

    def _byte(self) -> int:
        self._at += 1
        return self._raw[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise _Damage(f"there is no number at byte {self._at}")

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)
