"""The file in which it is kept what was seen of a tenant's sources, between two looks.

Put here: reading and replacing it as a whole. Keep out: what it holds (application/watch_state.py).

    <data>/lake/.watch/<external id>.seen     what was seen of its sources
    <data>/lake/.watch/<external id>.shown    what an orchestrator shows of its ledger

It is no part of the tenant's folder: losing it costs one more look at every source, no data. The
name is the tenant's external id, so that a later tenant of the same name finds nothing.
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.database.private_files import Permissions

_FOLDER = ".watch"


class WatchFile:
    """What was seen of one tenant, as text.

    Args:
        lake: the folder of all tenants' folders.
        name: the tenant's external id, and what is kept.
        permissions: the permissions of what is created.
    """

    def __init__(self, lake: Path, name: str, permissions: Permissions) -> None:
        self._folder = lake / _FOLDER
        self._path = self._folder / name
        self._new = self._folder / f"{name}.new"
        self._permissions = permissions

    def read(self) -> str:
        """Read the text; empty if there is none yet, or if it is not text."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def write(self, text: str) -> None:
        """Put another text in place of the file; it need not survive a power failure."""
        self._permissions.make_folder(self._folder)
        self._permissions.make_file(self._new)
        self._new.write_text(text, encoding="utf-8")
        self._new.replace(self._path)

    def delete(self) -> None:
        """Delete the file, for a tenant that was purged."""
        for path in (self._path, self._new):
            path.unlink(missing_ok=True)
