"""Work on files: durable writes, atomic replacement, fingerprints and decompression.

Put here: whatever needs fsync, rename, hashing or decompression. Keep out: paths of the lake
(layout.py) and the meaning of contents.
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

from finops_pipeline.errors import FULL_DISK_CURE, DiskFull, FileProblem, counted

_BLOCK = 1 << 20
_INFLATES_AT_LEAST, _INFLATES_AT_MOST = 64 << 20, 300
"""The number of bytes to which any file may inflate, and the multiple of its size for larger ones:
beyond that it is not a bill but was made to fill a disk."""
_AGAIN = "Copy or download it again; the previous delivery stays published"
_DAMAGE: tuple[type[Exception], ...] = (  # type: ignore[assignment]  # isal's stub: an instance
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    OSError,
    isal_zlib.error,
    NotImplementedError,  # a zip with an unsupported compression method
)


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_folder(path: Path) -> None:
    """Remove a folder with its contents, if it exists."""
    shutil.rmtree(path, ignore_errors=True)


def require_room(folder: Path, needed: int, name: str) -> None:
    """Check that a folder's disk has `needed` bytes of free space.

    Args:
        name: the delivery that needs them, for the message.

    Raises:
        DiskFull: it has less; the message has both numbers.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{name} needs about {counted(needed, 'byte')}, but the disk of"
            f" {folder.parent.parent} has {free} free",
            "enough disk space to process the delivery",
            FULL_DISK_CURE,
        )


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ROOM_MESSAGES = (
    *("No space left on device", "Disk quota exceeded", "File too large"),  # DuckDB
    "database or disk is full",  # SQLite
)


def no_room(error: BaseException) -> bool:
    """Check whether an error of Python, DuckDB or SQLite means that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return any(message in str(error) for message in _NO_ROOM_MESSAGES)


def fingerprint(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes, as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inflate(path: Path, target: Path, name: str) -> None:
    """Write the text in a .csv, .csv.gz or .csv.zip to `target`, checking its CRC.

    DuckDB reads .gz itself, but on one core and without checking the CRC: a flipped bit in a
    digit would be a wrong amount. ISA-L inflates 2-3 times faster than zlib.

    Raises:
        FileProblem: the file is truncated or damaged, or a zip does not have exactly one file.
    """
    try:
        with _opened(path, name) as stream, target.open("wb") as out:
            limit = max(_INFLATES_AT_LEAST, path.stat().st_size * _INFLATES_AT_MOST)
            while block := stream.read(_BLOCK):
                out.write(block)
                if out.tell() > limit:
                    raise FileProblem(
                        f"{name} decompresses to more than {_INFLATES_AT_MOST} times its size",
                        "a bill, which decompresses to 8 to 30 times its size",
                        _AGAIN,
                    )
    except _DAMAGE as error:
        # EINVAL: the directory of a damaged zip points outside the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise FileProblem(
            f"{name} is damaged ({error})",
            "a complete compressed file",
            _AGAIN,
        ) from error


def inflate_all(jobs: Sequence[tuple[Path, Path, str]]) -> None:
    """Inflate several files in parallel, one per core.

    Args:
        jobs: (path, target, name in messages) of each file.

    Raises:
        FileProblem: see `inflate`; for the first damaged file in order.
    """
    if len(jobs) < 2:
        for job in jobs:
            inflate(*job)
        return
    with ThreadPoolExecutor(max_workers=min(len(jobs), os.cpu_count() or 1)) as pool:
        for done in [pool.submit(inflate, *job) for job in jobs]:
            done.result()


def _opened(path: Path, name: str) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        stream: IO[bytes] = igzip.IGzipFile(path, "rb")  # type: ignore
        return stream
    if path.name.lower().endswith(".zip"):
        archive = zipfile.ZipFile(path)
        members = [m for m in archive.namelist() if not m.endswith("/")]
        if len(members) != 1:
            raise FileProblem(
                f"{name} contains {counted(len(members), 'file')}", "one CSV in the zip"
            )
        if archive.getinfo(members[0]).flag_bits & 1:
            raise FileProblem(f"{name} is protected by a password", "a zip without a password")
        return archive.open(members[0])
    return path.open("rb")


def link(path: Path, target: Path) -> Path:
    """Make a file readable under another name, without copying it."""
    target.symlink_to(path.resolve())
    return target


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV without a header, every field quoted.

    Lines end with LF: DuckDB assumes that all line ends are like the first one it reads, even if
    that is inside a quoted text.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def allow_long_cells() -> None:
    """Let Python's CSV reader accept long cells; its limit applies to the whole process."""
    csv.field_size_limit(sys.maxsize)


def raw_records(path: Path) -> Iterator[tuple[int, int, str]]:
    """Read a CSV's records as (record number, line number, raw text), including the header.

    Numbers begin at 1; an empty line is a record with empty text. It is slow (Python) and only
    needed for rows that cannot be read.
    """
    pending: list[str] = []

    def lines() -> Iterator[str]:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as text:
            for line in text:
                pending.append(line)
                yield line.rstrip("\r\n").replace("\r", " ") + "\n"

    # Python's reader ends a record with stray quotes where DuckDB does; counting quotes would not.
    allow_long_cells()
    first_line, reader = 1, csv.reader(lines())
    for record, _ in enumerate(reader, start=1):
        yield record, first_line, "".join(pending).rstrip("\r\n")
        pending.clear()
        first_line = reader.line_num + 1
