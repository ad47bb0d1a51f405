"""One SELECT on one tenant's file: its answer as rows or Arrow batches, and the answer's caveat.

Put here: running a query for a reader outside the pipeline. Keep out: restricting
it to the tenant (sandbox.py), the months of the caveat (caveats.py), formatting an answer (cli).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Months
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import DuckDBError, DuckDBInputOutputError
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.serve.caveats import Caveat
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox

Row = Sequence[Any]
_MISSING_TABLE = re.compile(r"Table with name (\w+) does not exist")


@dataclass(frozen=True)
class Query:
    """One SELECT.

    `values` are the values of its parameters (`$name`). `months` are the requested months; if none
    were requested, the caveat is about the months that the answer shows.
    """

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    months: Months = field(default_factory=Months)


class Answer:
    """The answer to one query, to be read once: as `rows` or as an `arrow_stream`."""

    def __init__(self, sandbox: Sandbox, query: Query) -> None:
        self._sandbox = sandbox
        self._query = query
        self._statement = sandbox.prepare(query.sql)
        self._caveat = Caveat(query.sql, query.months)
        self._connection = sandbox.connection

    def execute(self) -> list[str]:
        """Run the query for `rows`; return the names of its columns."""
        # Rows are fetched from the worker that ran the query; the sandbox may have another by then.
        connection = self._connection = self._sandbox.connection
        connection.execute(self._statement, self._query.values or None)
        names = [column[0] for column in connection.description or []]
        self._caveat.note_columns(names)
        return names

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """Names and DuckDB types of the executed query's columns."""
        return self._connection.description or []

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the executed query as they are fetched."""
        for rows in self._connection.portions():
            yield from self._caveat.note_rows(rows)

    def arrow_stream(self) -> io.BufferedReader:
        """Run the query; return the answer as a file with an Arrow IPC stream."""
        values = self._query.values or None
        return self._sandbox.connection.arrow_stream(self._statement, values)

    def note_batch(self, batch: Any) -> None:
        """Count the months of one batch for the caveat."""
        self._caveat.note_batch(batch)

    def caveat(self, tenant: str) -> str:
        """Return one line about months that are not reconciled, after the answer was read.

        Empty when all are, or when the answer shows no money.
        """
        return self._caveat.line(self._sandbox.connection, tenant)


@contextmanager
def open_answer(installation: Installation, tenant: str, query: Query) -> Iterator[Answer]:
    """Open the answer of a tenant's file to one SELECT.

    Args:
        installation: the installation that has the tenant.
        tenant: name of the tenant, as the caller may see it.
        query: the SELECT, which is not trusted.

    Raises:
        QueryRefused: the file cannot or may not answer it; also while the answer is read.
        QueryStopped: the query reached a limit; also while the answer is read.
        Unknown: no such tenant, or it has no file yet.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    with open_sandbox(folder, installation.query_limits) as sandbox, refusing_errors(folder):
        yield Answer(sandbox, query)


@contextmanager
def refusing_errors(folder: TenantFolder) -> Iterator[None]:
    """Report DuckDB's errors as refusals, without the path of the folder.

    Raises:
        QueryRefused: DuckDB has raised an error.
    """
    try:
        yield
    except DuckDBInputOutputError as error:
        reason = str(error).replace(str(folder.root), "").splitlines()[0]
        cure = "Run the query again: a file was removed while it was being read"
        raise QueryRefused(reason, cure=cure) from error
    except DuckDBError as error:
        reason = str(error).replace(str(folder.root), "").splitlines()[0]
        missing = _MISSING_TABLE.search(reason)
        if missing and missing[1].lower() in MARTS:
            raise QueryRefused(
                f"the file of tenant {folder.tenant} was built by an earlier version and has no"
                f" table {missing[1]}",
                "a file built by this version",
                f"Bring it up to date: finops ingest {folder.tenant}",
            ) from error
        raise QueryRefused(reason, cure="List the tables and views: SHOW TABLES") from error
