"""The engine of a SQLite file that a server reads at every request.

Put here: connections that stay open, for the file that is in its place now. Keep out: engines for
commands, which open a file once (engine.py), what files hold.

Opening a file takes longer than a small query. A file that is replaced, by a restore for example,
is another file: its connections are closed, and the new one is opened.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import sqlalchemy as sa

from finops_pipeline.database.engine import open_engine


class LiveEngine:
    """The connections to a file, for any number of threads.

    Args:
        path: the file.
        busy_seconds: how long a transaction waits for that of another process.
    """

    def __init__(self, path: Path, busy_seconds: float = 5.0) -> None:
        self._path = path
        self._url = sa.URL.create(
            "sqlite", database=str(path), query={"timeout": str(busy_seconds)}
        )
        self._lock = Lock()
        self._opened: tuple[tuple[int, int], sa.Engine] | None = None

    def current(self) -> sa.Engine | None:
        """Return the engine of the file that is in its place now; None if there is none."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        file = (status.st_dev, status.st_ino)
        with self._lock:
            if self._opened is None or self._opened[0] != file:
                if self._opened:
                    self._opened[1].dispose()
                self._opened = (file, open_engine(self._url, keeps_connections=True))
            return self._opened[1]

    def close(self) -> None:
        """Close the connections that no thread is using."""
        with self._lock:
            if self._opened:
                self._opened[1].dispose()
            self._opened = None
