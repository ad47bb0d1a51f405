"""Readers of every kind while a tenant is published again and again: no answer is a mixture.

Put here: queries through the sandbox, a connection that stays open, a file attached beside another
tenant's, programs that read the folders with a pattern. Keep out: kills (test_snapshot_kills.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as pads
import pytest

from finops_pipeline.serve.sandbox import open_sandbox
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.snapshot_tenants import ACCOUNTS, GLOBEX_COST, MONTHS, begin, deliver_number

PUBLICATIONS, TORTURE = 2, 200
READERS = 7
PAUSE = 0.1
"""Seconds between two looks of each reader, so that publications are not slowed down tenfold."""
SUMS = (
    "select (select list(distinct BilledCost) from {0}costs),"
    " (select list(distinct billed_cost) from {0}monthly_costs),"
    " (select list(distinct billed_cost) from {0}daily_costs),"
    " (select count(*) from {0}costs)"
)
CHARGES = len(MONTHS) * len(ACCOUNTS)
Look = Callable[[], None]


class Readers:
    """Threads that look again and again until they are stopped; an error ends a thread.

    Args:
        pause: seconds between two looks of a thread.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.looks = 0
        self.listed_again = 0
        self.errors: list[BaseException] = []

    def add(self, look: Look) -> None:
        """Start a thread that looks."""
        thread = threading.Thread(target=self._run, args=(look,))
        self._threads.append(thread)
        thread.start()

    def _run(self, look: Look) -> None:
        while not self._stop.is_set():
            try:
                look()
                self.looks += 1
                self._stop.wait(self._pause)
            except BaseException as error:
                self.errors.append(error)
                return

    def stop(self) -> None:
        """Let every thread finish its look."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def check_sums(row: tuple[list[Decimal], list[Decimal], list[Decimal], int]) -> None:
    """Check that charges, both marts and the number of charges are of one publication."""
    charges, monthly, daily, count = row
    assert charges == monthly == daily, row
    assert len(charges) == 1, row
    assert count == CHARGES, row


def look_through_sandbox(made: TemporaryInstallation) -> Look:
    def look() -> None:
        with open_sandbox(
            made.installation.folder("acme"), made.installation.query_limits
        ) as sandbox:
            check_sums(sandbox.execute(SUMS.format("")).fetchall()[0])

    return look


@contextmanager
def open_connection(made: TemporaryInstallation) -> Iterator[Look]:
    """A connection as a BI tool keeps it: opened once, queried again and again.

    Report of a file that was replaced below such a connection:
    motherduckdb/grafana-duckdb-datasource#38.
    """
    path = made.folder("acme") / "acme.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        first = connection.execute(SUMS.format("")).fetchall()

        def look() -> None:
            rows = connection.execute(SUMS.format("")).fetchall()
            check_sums(rows[0])
            assert rows == first

        yield look


def look_attached(made: TemporaryInstallation) -> Look:
    """Both tenants' files attached beside each other, from a folder that is neither's."""

    def look() -> None:
        with duckdb.connect() as connection:
            for tenant in ("acme", "globex"):
                path = made.folder(tenant) / f"{tenant}.duckdb"
                connection.execute(f"attach '{path}' as t_{tenant} (read_only)")
            check_sums(connection.execute(SUMS.format("t_acme.")).fetchall()[0])
            other = connection.execute("select list(distinct BilledCost) from t_globex.costs")
            assert other.fetchall() == [([Decimal(GLOBEX_COST)],)]

    return look


def look_with_pattern(readers: Readers, read: Callable[[], pl.DataFrame]) -> Look:
    """Read the folders; a file that is gone since it was listed is listed again, as documented."""

    def look() -> None:
        try:
            frame = read()
        except (FileNotFoundError, pl.exceptions.ComputeError) as error:
            assert "No such file" in str(error) or isinstance(error, FileNotFoundError), error
            readers.listed_again += 1
            return
        places = frame.select("project", "billing_period").rows()
        assert len(places) == len(set(places)) == CHARGES, places
        assert frame["BilledCost"].n_unique() == 1, frame

    return look


COLUMNS = ["project", "billing_period", "BilledCost"]


def read_with_polars(folder: Path) -> Callable[[], pl.DataFrame]:
    pattern = str(folder / "costs/project=*/billing_period=*/*.parquet")
    return lambda: pl.scan_parquet(pattern, hive_partitioning=True).select(COLUMNS).collect()


def read_with_pyarrow(folder: Path) -> Callable[[], pl.DataFrame]:
    def read() -> pl.DataFrame:
        dataset = pads.dataset(folder / "costs", format="parquet", partitioning="hive")
        frame = pl.from_arrow(dataset.to_table(columns=COLUMNS))
        assert isinstance(frame, pl.DataFrame)
        return frame

    return read


def publish_under_readers(place: Path, publications: int, pause: float = 0) -> str:
    """Publish this many times while everything reads; return the figures."""
    made = begin(place)
    readers = Readers(pause)
    with open_connection(made) as held:
        for look in (*[look_through_sandbox(made)] * 3, held, look_attached(made)):
            readers.add(look)
        folder = made.folder("acme")
        for read in (read_with_polars(folder), read_with_pyarrow(folder)):
            readers.add(look_with_pattern(readers, read))
        try:
            for number in range(2, publications + 2):
                deliver_number(made, number)
                assert not made.ingest("acme").failed
        finally:
            readers.stop()
    assert not readers.errors, readers.errors
    assert readers.looks >= publications * READERS
    look_through_sandbox(made)()
    return (
        f"{publications} publications under {READERS} readers: {readers.looks} answers, 0 mixtures,"
        f" {readers.listed_again} patterns listed again"
    )


def test_no_reader_sees_two_publications_at_once(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.config.stash.setdefault(FIGURES, []).append(
        publish_under_readers(tmp_path, PUBLICATIONS, PAUSE)
    )


@pytest.mark.torture
def test_no_reader_sees_two_publications_at_once_in_200(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    figures = publish_under_readers(tmp_path, TORTURE)
    request.config.stash.setdefault(FIGURES, []).append(figures)
