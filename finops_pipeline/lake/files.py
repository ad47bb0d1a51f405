"""The door to files: durable writes, atomic replacement, integrity of what is read.

Put here: what needs fsync, rename, checksums or decompression. Keep out: where files lie
(layout.py) and what is in them.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from isal import igzip, isal_zlib

from finops_pipeline.errors import DiskFull, FileProblem

_BLOCK = 1 << 20
_INFLATES_AT_LEAST, _INFLATES_AT_MOST = 64 << 20, 300
"""Bytes that any file may inflate to, and how many times its size a larger one may: beyond that
it is no bill but something made to fill a disk."""
_AGAIN = "Copy or download it again; the previous delivery stays published"
_DAMAGE: tuple[type[Exception], ...] = (  # type: ignore[assignment]  # isal's stub: an instance
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    OSError,
    isal_zlib.error,
    NotImplementedError,  # a zip by a method that zipfile does not know
)


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_into_place(staged: Path, final: Path) -> None:
    """Put a staged file where it is visible: whole or not at all.

    Does nothing when the staged file is already gone (a repeated recovery).
    """
    if not staged.exists():
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(final)
    sync(final.parent)


def remove(path: Path) -> None:
    """Remove a file and its partition folder when that is then empty."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def clear_folder(path: Path) -> None:
    """Remove a folder and all in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def require_room(folder: Path, needed: int, what: str) -> None:
    """See that a folder's disk has room for `needed` bytes.

    Raises:
        DiskFull: it has less; names both.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{what} needs about {needed} bytes, and the disk of {folder.parent.parent} has"
            f" {free} free",
            "room for the delivery while it is read",
            "Make room, or set FINOPS_DATA to a larger disk, and run again",
        )


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ROOM_WORDS = (
    *("No space left on device", "Disk quota exceeded", "File too large"),  # DuckDB
    "database or disk is full",  # SQLite
)


def no_room(error: BaseException) -> bool:
    """Whether an error of Python, DuckDB or SQLite says that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return any(words in str(error) for words in _NO_ROOM_WORDS)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inflate(path: Path, target: Path, name: str) -> None:
    """Write the text inside a .csv, .csv.gz or .csv.zip to `target`, checking its CRC.

    DuckDB reads .gz itself, but on one core and without checking the CRC: a flipped bit in a
    digit would be a wrong amount. ISA-L inflates 2-3 times faster than zlib.

    Raises:
        FileProblem: the file is cut short or damaged, or a zip holds more than one file.
    """
    try:
        with _opened(path, name) as stream, target.open("wb") as out:
            most = max(_INFLATES_AT_LEAST, path.stat().st_size * _INFLATES_AT_MOST)
            while block := stream.read(_BLOCK):
                out.write(block)
                if out.tell() > most:
                    raise FileProblem(
                        f"{name} inflates to more than {_INFLATES_AT_MOST} times its size",
                        "a bill, which inflates to 8 to 30 times",
                        _AGAIN,
                    )
    except _DAMAGE as error:
        # EINVAL: a damaged zip's directory points outside the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise FileProblem(
            f"{name} is damaged ({error})",
            "a complete compressed file",
            _AGAIN,
        ) from error


def inflate_all(wanted: Sequence[tuple[Path, Path, str]]) -> None:
    """Inflate several files, one per core at a time; (path, target, name in messages) each.

    Raises:
        FileProblem: see `inflate`; of the first damaged file in order.
    """
    if len(wanted) < 2:
        for one in wanted:
            inflate(*one)
        return
    with ThreadPoolExecutor(max_workers=min(len(wanted), os.cpu_count() or 1)) as pool:
        for done in [pool.submit(inflate, *one) for one in wanted]:
            done.result()


def _opened(path: Path, name: str) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        stream: IO[bytes] = igzip.IGzipFile(path, "rb")  # type: ignore
        return stream
    if path.name.lower().endswith(".zip"):
        archive = zipfile.ZipFile(path)
        members = [m for m in archive.namelist() if not m.endswith("/")]
        if len(members) != 1:
            raise FileProblem(f"{name} holds {len(members)} files", "one CSV in the zip")
        if archive.getinfo(members[0]).flag_bits & 1:
            raise FileProblem(f"{name} is locked with a password", "a zip without one")
        return archive.open(members[0])
    return path.open("rb")


def link(path: Path, at: Path) -> Path:
    """Make a file readable under another name, without copying it."""
    at.symlink_to(path.resolve())
    return at


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV without a header, every field quoted.

    Lines end with LF: DuckDB takes the first line end it meets for all others, also one inside
    a raw text.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def any_cell_size() -> None:
    """Let Python's CSV reader, whose limit is one for the whole process, take long cells."""
    csv.field_size_limit(sys.maxsize)


def raw_records(path: Path) -> Iterator[tuple[int, int, str]]:
    """Records of a CSV text as (record number, line number, raw text), header included.

    Numbers begin at 1; an empty line is a record whose text is empty. Slow (Python); only run
    to show rows that cannot be read.
    """
    pending: list[str] = []

    def lines() -> Iterator[str]:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as text:
            for line in text:
                pending.append(line)
                yield line.rstrip("\r\n").replace("\r", " ") + "\n"

    # Python's reader ends a record with stray quotes where DuckDB's does; counting them would not.
    any_cell_size()
    first_line, reader = 1, csv.reader(lines())
    for record, _ in enumerate(reader, start=1):
        yield record, first_line, "".join(pending).rstrip("\r\n")
        pending.clear()
        first_line = reader.line_num + 1
