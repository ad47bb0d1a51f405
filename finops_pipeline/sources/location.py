"""Where exports lie: list, read and fetch by name, never outside the location.

Put here: what every kind of location can do, and the local folder. Keep out: S3 (s3.py), which
kind a source has (location_kinds.py), what the names mean (data_exports.py), the lake.
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
    """A file of an export: its name below the location, size, and a mark that moves with it.

    `stored_at` is when the store took it (UTC); None where only a copy's time is known.
    """

    name: str
    size_bytes: int
    mark: str
    stored_at: datetime | None = field(default=None, compare=False)


class Location(Protocol):
    """Where a source's exports lie. Names are POSIX paths relative to it."""

    def folders(self, name: str = "") -> list[str]:
        """Names of the folders directly in `name`, sorted; empty when it is not there."""

    def files(self, name: str = "") -> list[str]:
        """Names of the files directly in `name`, sorted; empty when it is not there."""

    def describe(self, name: str) -> ExportFile | None:
        """The file of that name, or None when it is not there."""

    def read(self, name: str) -> bytes:
        """The bytes of a small file (a manifest)."""

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """Local paths that hold the files' bytes, in order: exactly the files described.

        Args:
            scratch: an empty folder of this machine for downloads, or one to be made. Names
                from outside are no paths in it: files are numbered, and keep their ending.
        """

    def again(self) -> Location:
        """The same place, looked at anew: nothing is remembered of earlier listings."""

    def spell(self, name: str = "") -> str:
        """The full spelling of a name, for messages."""


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

    def describe(self, name: str) -> ExportFile | None:
        """See Location; the mark is the times of modification and of change in nanoseconds.

        Raises:
            FileProblem: the name leads out of the folder, or cannot be looked at.
        """
        path = self._path(name)
        try:
            if not path.is_file():
                return None
            stat = path.stat()
        except OSError as error:
            raise FileProblem(f"{name[:200]!r} cannot be read ({error.strerror})") from error
        # Copying can keep size and modification time; the change of the inode it cannot set.
        return ExportFile(name, stat.st_size, f"{stat.st_mtime_ns} {stat.st_ctime_ns}")

    def read(self, name: str) -> bytes:
        """See Location."""
        return self._path(name).read_bytes()

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """See Location; the files are read where they lie."""
        return [self._path(file.name) for file in files]

    def again(self) -> LocalFolder:
        """See Location; a folder is looked at anew each time."""
        return self

    def spell(self, name: str = "") -> str:
        """See Location."""
        return str(self._root / name) if name else str(self._root)

    def _entries(self, name: str) -> list[Path]:
        path = self._path(name) if name else self._root
        return sorted(path.iterdir()) if path.is_dir() else []

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise self._leads_out(name)
        path = self._root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
        except (OSError, ValueError, RuntimeError) as error:  # NUL, too long, circle of links
            raise FileProblem(f"{name[:200]!r} is no path ({error})", "a file's name") from error
        if not inside:
            raise self._leads_out(name)
        return path

    def _leads_out(self, name: str) -> FileProblem:
        return FileProblem(
            f"{name[:200]!r} leads out of {self._root}", "a path below the source's location"
        )
