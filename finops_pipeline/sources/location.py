"""Locations of exports: list, read and fetch files by name, never outside the location.

Put here: what every kind of location can do, and the local folder. Keep out: S3 (s3.py), which
kind a source has (location_kinds.py), the meaning of names (data_exports.py), the lake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

from finops_pipeline.errors import FileProblem


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its name below the location, and what shows that it has changed.

    `fingerprint` changes whenever the file does: an S3 etag, or a local file's times. `stored_at`
    is when S3 stored it (UTC); None on this machine, where it would be the time of a copy.
    """

    name: str
    size_bytes: int
    fingerprint: str
    stored_at: datetime | None = field(default=None, compare=False)


class Location(Protocol):
    """The location of a source's exports. Names are POSIX paths relative to it."""

    def folders(self, name: str = "") -> list[str]:
        """List the names of the folders directly in `name`, sorted; none if it does not exist."""

    def files(self, name: str = "") -> list[str]:
        """List the names of the files directly in `name`, sorted; none if it does not exist."""

    def find_file(self, name: str) -> ExportFile | None:
        """Find the file of that name; None if it does not exist."""

    def read(self, name: str) -> bytes:
        """Read the bytes of a small file (a manifest)."""

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """Fetch exactly these files; returns the local paths of their bytes, in order.

        Args:
            scratch: a folder of this machine for downloads, empty or not yet made. Delivered names
                are never used as paths in it: files are numbered and keep their ending.
        """

    def reopen(self) -> Location:
        """Return the same location without the listings that have been cached."""

    def full_path(self, name: str = "") -> str:
        """Return the full path or URI of a name, for messages."""


class LocalFolder:
    """Exports in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self, name: str = "") -> list[str]:
        """See Location."""
        return [entry.name for entry in self._entries(name) if entry.is_dir()]

    def files(self, name: str = "") -> list[str]:
        """See Location."""
        return [entry.name for entry in self._entries(name) if entry.is_file()]

    def find_file(self, name: str) -> ExportFile | None:
        """See Location; the fingerprint is the times of modification and change in nanoseconds.

        Raises:
            FileProblem: the name points outside the folder, or the file cannot be accessed.
        """
        path = self._path(name)
        try:
            if not path.is_file():
                return None
            stat = path.stat()
        except OSError as error:
            raise FileProblem(
                f"{name[:200]!r} cannot be read ({error.strerror})",
                "a file that this user can read",
            ) from error
        # A copy may preserve size and modification time, but never the inode's change time.
        return ExportFile(name, stat.st_size, f"{stat.st_mtime_ns} {stat.st_ctime_ns}")

    def read(self, name: str) -> bytes:
        """See Location."""
        return self._path(name).read_bytes()

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """See Location; the files are read in place."""
        return [self._path(file.name) for file in files]

    def reopen(self) -> LocalFolder:
        """See Location; nothing is cached."""
        return self

    def full_path(self, name: str = "") -> str:
        """See Location."""
        return str(self._root / name) if name else str(self._root)

    def _entries(self, name: str) -> list[Path]:
        path = self._path(name) if name else self._root
        return sorted(path.iterdir()) if path.is_dir() else []

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise self._outside_error(name)
        path = self._root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
        except (OSError, ValueError, RuntimeError) as error:  # NUL, too long, circular links
            raise FileProblem(f"{name[:200]!r} is not a path ({error})", "a file's name") from error
        if not inside:
            raise self._outside_error(name)
        return path

    def _outside_error(self, name: str) -> FileProblem:
        return FileProblem(
            f"{name[:200]!r} points outside {self._root}", "a path below the source's location"
        )
