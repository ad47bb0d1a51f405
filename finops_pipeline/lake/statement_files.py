"""The files of closed statements and adjustments: written once, never changed.

Put here: writing the lines of a version to a file of its own, reading them, and what the file says
about itself. Keep out: which lines there are (marts), records of versions
(ledger/statement_entries.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline.contracts.statement_tables import STATEMENTS
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    DuckDBError,
    Limits,
    fetch_dicts,
    ident,
    open_in_memory,
    scratch_connection,
    text,
    texts,
)
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.file_owners import owned_publication, owner_option
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.statement_entries import StatementEntry, record_statement
from finops_pipeline.ledger.stored_files import Place, StoredFile, read_stored_files

Row = tuple[Any, ...]
"""A line in the order of the columns of the table `statements`."""


def statement_place(entry: StatementEntry) -> Place:
    """Return the partition of a version."""
    return Place(layout.STATEMENTS, f"v{entry.version}", entry.billing_period)


def publish_statement(
    publication: Publication, entry: StatementEntry, rows: Sequence[Row]
) -> StatementEntry:
    """Put the lines of a new version on a publication, and its record; return the record."""
    path = publication.scratch("statement.parquet")
    with scratch_connection(publication.spill, Limits()) as connection:
        columns = ", ".join(f"{ident(c.name)} {c.type}" for c in STATEMENTS.columns)
        connection.execute(f"create table line ({columns})")
        _insert(connection, rows)
        ordered = f"from line order by {', '.join(STATEMENTS.grain)}"
        owner = owner_option(publication.folder.identity)
        connection.execute(f"copy ({ordered}) to {text(str(path))} ({PARQUET}, {owner})")
    file = publication.put(statement_place(entry), path)
    recorded = replace(entry, sha256=file.sha256, size_bytes=file.size_bytes)
    publication.record(record_statement(recorded))
    return recorded


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    columns = [[_as_text(value) for value in column] for column in zip(*rows, strict=True)]
    casts = ", ".join(f"unnest(?::varchar[])::{c.type}" for c in STATEMENTS.columns)
    connection.execute(f"insert into line select {casts}", columns)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def read_statement_lines(folder: TenantFolder, month: str | None = None) -> list[Row]:
    """Read the lines of all versions (of one month), after checking the contents of the files.

    Raises:
        DamagedFile: a file is missing or was changed.
        ForeignFile: a file is a link.
    """
    ledger = open_ledger(folder)
    files = [
        file
        for file in sorted(read_stored_files(ledger).values())
        if file.place.table_name == layout.STATEMENTS and month in (None, file.place.billing_period)
    ]
    if not files:
        return []
    FileChecker(folder, ledger).check(files)
    with open_in_memory({}) as connection:
        query = connection.execute(lines_query(map(folder.stored, files)))
        return query.fetchall()


def lines_query(paths: Iterable[Path]) -> str:
    """Return a query of the lines in files of statements, in order."""
    names = ", ".join(ident(column.name) for column in STATEMENTS.columns)
    return f"select {names} from {_relation(paths)} order by {', '.join(STATEMENTS.grain)}"


def _relation(paths: Iterable[Path]) -> str:
    listed = texts([str(path) for path in paths])
    return f"read_parquet({listed}, hive_partitioning = false)"


def read_entry(folder: TenantFolder, file: StoredFile) -> StatementEntry | None:
    """Return the record of a version from its file, for a ledger that is lost.

    A file from a publication that was killed before its commit counts as well, if the ledger is
    lost before the next command removes the file.

    Returns:
        None if the file is not this tenant's or has no version.
    """
    if owned_publication(folder, file) is None:
        return None
    read = _relation([folder.stored(file)])
    query = (
        "select billing_period, version, kind, closed_at, month_state,"
        f" coalesce(reason, '') as reason, count(*) as lines from {read} group by all"
    )
    try:
        with open_in_memory({}) as connection:
            rows = fetch_dicts(connection.execute(query))
    except DuckDBError:
        return None
    if len(rows) != 1:
        return None
    entry = StatementEntry(**rows[0], sha256=file.sha256, size_bytes=file.size_bytes)
    return entry if statement_place(entry) == file.place else None
