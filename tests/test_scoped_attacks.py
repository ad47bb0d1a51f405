"""Attacks from inside a file limited to projects: each barrier alone keeps everything else away.

Put here: SQL that tries to reach the tenant's own file and other projects' partitions. Keep out:
other tenants' files, odd spellings (test_sandbox_attacks.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import Limits, open_in_memory, read_settings
from finops_pipeline.lake.scoped_file import attach_scoped
from finops_pipeline.serve import landlock
from finops_pipeline.serve.sandboxed_files import LimitedFile
from finops_pipeline.serve.warehouse_pool import OpenWarehouse
from finops_pipeline.serve.worker_connection import WorkerConnection
from finops_pipeline.serve.worker_process import WorkerProcess
from tests.conftest import TemporaryInstallation
from tests.support.marked_projects import (
    OTHER,
    OWN,
    SCOPE,
    Marked,
    identities,
    marked,
    pooled,
    rows,
    scoped_of,
)
from tests.support.published_files import published_files

__all__ = ["marked"]


@pytest.fixture(scope="module")
def limited(marked: Marked) -> Iterator[OpenWarehouse]:
    with pooled(marked) as pool, pool.open(SCOPE) as opened:
        yield opened


ATTACKS = {
    "attach the whole": "attach '{root}/acme.duckdb' as x (read_only)",
    "attach another": "attach '{lake}/tenant=globex/globex.duckdb' as x (read_only)",
    "the whole": "from read_duckdb('{root}/acme.duckdb')",
    "its bytes": "select length(content) from read_blob('{root}/acme.duckdb')",
    "the ledger": "select length(content) from read_blob('{root}/ledger.sqlite')",
    "a partition": "from read_parquet('{other}')",
    "its name": "from '{other}'",
    "up and down": "from read_parquet('{own}/../project=zqdata/*/*')",
    "a pattern": "from read_parquet('{store}/costs/*/*/*.parquet')",
    "a prefix": "from read_parquet('{store}/costs/project=zq*/*/*.parquet')",
    "landed": "from read_parquet('{store}/landing/*/*/*.parquet')",
    "metrics": "from read_parquet('{store}/business_metrics/*/*/*.parquet')",
    "statements": "from read_parquet('{store}/statements/*/*/*.parquet')",
    "links": "from read_parquet('{root}/costs/project=zqdata/*/*.parquet')",
    "other limited files": "select length(content) from read_blob('{root}/.scoped/*')",
}
WRITING = {
    "settings": "set allowed_directories = ['/']",
    "external access": "set global enable_external_access = true",
    "copy": "copy (select 1) to '{own}/x.csv'",
    "copy in a select": "with x as (copy (select 1) to '{root}/.scoped/x.wal') from x",
}


def attack(made: TemporaryInstallation, sql: str) -> str:
    folder = made.installation.folder("acme")
    other = next(p for p in published_files(folder.root, "costs") if f"project={OTHER}" in str(p))
    own = folder.store / "costs" / f"project={OWN}"
    places = {"root": folder.root, "lake": folder.lake, "store": folder.store, "own": own}
    return sql.format(**places, other=other.resolve())


@pytest.mark.parametrize("name", [*ATTACKS, *WRITING])
def test_sql_from_a_limited_file_reaches_nothing_else(
    name: str, marked: Marked, limited: OpenWarehouse
) -> None:
    """By the guard, by its process, and the reading ones by the same connection in this process."""
    sql = attack(marked.made, {**ATTACKS, **WRITING}[name])
    with pytest.raises((QueryRefused, duckdb.Error)):
        limited.sandbox.execute(sql).fetchall()
    assert_nothing(limited.sandbox.connection, sql)
    if name in ATTACKS:
        with open_in_memory(read_settings(Limits())) as connection:
            attach_scoped(connection, scoped_of(marked.made), "acme")
            connection.execute("use acme")
            connection.execute("set global lock_configuration = true")
            assert_nothing(connection, sql)
    assert rows(limited, "select sum(BilledCost) from costs") == [(Decimal("4.375"),)]


@pytest.mark.skipif(not landlock.is_available(), reason="this kernel has no Landlock")
def test_the_kernel_alone_keeps_a_limited_process_inside(marked: Marked) -> None:
    """The guard is off, and so are the settings that confine DuckDB."""
    folder, limits = marked.made.installation.folder("acme"), marked.made.installation.query_limits
    scoped_of(marked.made)  # a limited file is written before it is opened
    readable = LimitedFile(folder, identities(marked.made.installation)).prepare()
    connection = WorkerConnection(WorkerProcess(readable, limits))
    try:
        own = f"from read_parquet('{folder.stored_key('costs', OWN)}/*/*.parquet')"
        assert len(connection.execute(own).fetchall()) == 4
        for sql in ATTACKS.values():
            assert_nothing(connection, attack(marked.made, sql))
    finally:
        connection.close()


def assert_nothing(connection: Any, sql: str) -> None:
    try:
        assert connection.execute(sql).fetchall() == [], sql
    except duckdb.Error:
        return
