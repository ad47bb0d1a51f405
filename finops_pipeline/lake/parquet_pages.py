"""Pages of a Parquet file against their own checksums, where the writer gave them any.

Put here: walking the page headers of a file, CRC-32 of each page. Keep out: decoding pages (DuckDB
does), compressed texts (files.py).

DuckDB reads a page whose bytes have changed as long as it still decodes: a flipped bit in a cost
would be another cost. Parquet's format (PageHeader, field 4) has a CRC of each page's bytes;
parquet-mr and Arrow write it. A file without them is taken as it is.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
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


def check_pages(connection: Connection, path: Path, name: str) -> None:
    """See that every page of a Parquet file is as it was written.

    Args:
        name: the file's name, for messages.

    Raises:
        FileProblem: a page's bytes do not have its checksum, or page headers make no sense.
    """
    chunks = connection.execute(
        "select path_in_schema, num_values, dictionary_page_offset, data_page_offset"
        f" from parquet_metadata({text(str(path))}) where num_values > 0"
    ).fetchall()
    if not chunks:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        for column, values, *offsets in chunks:
            begin = min((offset for offset in offsets if offset), default=0)
            try:
                _check_chunk(raw, begin, values)
            except (_Damage, IndexError) as error:
                raise FileProblem(
                    f"{name} is damaged in column {column} ({str(error) or 'a page is cut off'})",
                    "a complete file as AWS wrote it",
                    "Copy or download it again; the previous delivery stays published",
                ) from error


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
