"""Reading a tenant's file in Python: `open_warehouse` returns exact data frames and rows.

Put here: the interface for notebooks and scripts. Keep out: restricting queries to the tenant
(sandbox.py), the command line (cli/query.py).

    from finops_pipeline.serve.analysis import open_warehouse

    with open_warehouse("acme") as warehouse:
        frame = warehouse.pl("select * from monthly_costs where project = $project", project="prod")
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
import pyarrow as pa

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.serve.queries import Answer, Query, refusing_errors
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from finops_pipeline.settings import load_settings


class UnreconciledMonths(UserWarning):
    """An answer contains amounts from months that are not reconciled; the message names them."""


class Warehouse:
    """A tenant's file, open for SELECTs that can read nothing but this tenant's data.

    Threads may share it; their queries run one after another.
    """

    def __init__(self, sandbox: Sandbox, folder: TenantFolder) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._one_query = threading.Lock()

    def pl(self, sql: str, **values: Any) -> pl.DataFrame:
        """Return the answer to one SELECT as a Polars data frame; amounts are exact decimals.

        Args:
            sql: the SELECT.
            values: the values of its parameters (`$name`).

        Raises:
            QueryRefused: the statement does more than read, or DuckDB cannot answer it.
            QueryStopped: it reached a limit.
            DamagedFile: a file that it reads is missing or was changed.
        """
        with self._one_query, refusing_errors(self._folder):
            answer = Answer(self._sandbox, Query(sql, values))
            with answer.arrow_stream() as stream, pa.ipc.open_stream(stream) as reader:
                batches = []
                for batch in reader:
                    answer.note_batch(batch)
                    batches.append(batch)
                frame = pl.from_arrow(pa.Table.from_batches(batches, reader.schema))
            self._warn(answer)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def rows(self, sql: str, **values: Any) -> list[Sequence[Any]]:
        """Return the answer to one SELECT as rows; amounts are `decimal.Decimal`.

        Args:
            sql: the SELECT.
            values: the values of its parameters (`$name`).

        Raises:
            QueryRefused: the statement does more than read, or DuckDB cannot answer it.
            QueryStopped: it reached a limit.
            DamagedFile: a file that it reads is missing or was changed.
        """
        with self._one_query, refusing_errors(self._folder):
            answer = Answer(self._sandbox, Query(sql, values))
            answer.execute()
            rows = list(answer.rows())
            self._warn(answer)
        return rows

    def _warn(self, answer: Answer) -> None:
        if caveat := answer.caveat(self._folder.tenant):
            warnings.warn(caveat, UnreconciledMonths, stacklevel=3)


@contextmanager
def open_warehouse(tenant: str, installation: Installation | None = None) -> Iterator[Warehouse]:
    """Open a tenant's file for reading, with the limits and the isolation of `finops query`.

    Args:
        tenant: name of the tenant.
        installation: the tenant's installation; None: the one that the environment describes.

    Raises:
        Unknown: there is no such tenant, or it has no file yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    installation = installation or Installation(load_settings())
    folder = installation.folder(installation.registry.tenant(tenant).name)
    with open_sandbox(folder, installation.query_limits) as sandbox:
        yield Warehouse(sandbox, folder)
