"""The door to where exports lie: list, read and fetch by name, never outside the location.

Put here: kinds of locations (a local folder; S3 joins here). Keep out: what the names mean
(data_exports.py) and everything inside the lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from finops_pipeline.errors import FileProblem, RegistryError


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its name below the location, size, and a mark that moves with it."""

    name: str
    size_bytes: int
    mark: str


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

    def fetch(self, name: str) -> Path:
        """A local path that holds the file's bytes."""

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
        """See Location; the mark is the modification time in nanoseconds.

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
        return ExportFile(name, stat.st_size, str(stat.st_mtime_ns))

    def read(self, name: str) -> bytes:
        """See Location."""
        return self._path(name).read_bytes()

    def fetch(self, name: str) -> Path:
        """See Location; the file is read where it lies."""
        return self._path(name)

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


def open_location(location: str, source: str) -> Location:
    """The door to a source's location.

    Args:
        location: as the registry holds it.
        source: `tenant/source`, for messages.

    Raises:
        RegistryError: there is no such folder, or a kind of location that is not read.
    """
    if not location:
        raise RegistryError(
            f"source {source} has no location",
            "a folder with the export",
            f"Set one, or bring files by hand: finops ingest-file {source} FILE",
        )
    if "://" in location and not location.startswith("file://"):
        raise RegistryError(
            f"source {source} reads {location}, which this version does not fetch",
            "a local folder",
            "Copy the report's folder to this machine and set the location to it",
        )
    root = Path(location.removeprefix("file://"))
    if not root.is_dir():
        raise RegistryError(
            f"source {source} reads {location}, and there is no such folder",
            "the folder of the report, as AWS delivers it",
            "Correct the location or bring the files there",
        )
    return LocalFolder(root)
