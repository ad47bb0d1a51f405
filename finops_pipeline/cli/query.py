"""Commands that read a tenant's file.

Put here: `query`, `open`. Keep out: what keeps a query inside the tenant (serve/sandbox.py).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import typer

from finops_pipeline.application.progress import Months
from finops_pipeline.cli.show import (
    Format,
    complain,
    open_installation,
    table,
    write_csv,
    write_json,
)
from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.lake.duck import Connection, DuckDBError
from finops_pipeline.lake.publish import settle
from finops_pipeline.serve.caveats import Caveat
from finops_pipeline.serve.sandbox import guard, jailed

SHOWN_ROWS = 1000
"""Rows that a table shows; other forms give all."""


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    app.command("query")(query_command)
    app.command("open")(open_command)


def query_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    sql: Annotated[str | None, typer.Argument(metavar="SQL")] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="Read the SQL from here.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Form of the answer.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write here instead of stdout.")
    ] = None,
) -> None:
    """Ask the tenant's file one SELECT; it can see this tenant and nothing else."""
    if (sql is None) == (file is None):
        raise typer.BadParameter("give SQL, or -f FILE")
    text = file.read_text(encoding="utf-8") if file else str(sql)
    answer(tenant, text, {}, format, output)


def answer(
    tenant: str,
    sql: str,
    values: Mapping[str, Any],
    format: Format,
    output: Path | None,
    span: Months | None = None,
) -> None:
    """Ask the tenant's file one SELECT and give the answer in a form.

    Months of it that are not reconciled are named on stderr.

    Args:
        values: what the SQL's parameters (`$name`) are bound to.
        output: file to write instead of stdout.
        span: months that it is about; None: those that it shows.

    Raises:
        QueryRefused: the file cannot or may not answer it.
        Unknown: no such tenant, or it has no file yet.
    """
    target = output.absolute() if output else None
    installation = open_installation()
    folder = installation.folder(installation.registry.tenant(tenant).name)
    with jailed(folder, installation.limits) as connection:
        asked = guard(connection, sql)
        caveat = Caveat(sql, span or Months())
        try:
            if format is Format.PARQUET:
                _parquet(connection, asked, values, target, caveat)
            else:
                connection.execute(asked, values or None)
                _answer(connection, format, target, caveat)
            if line := caveat.line(connection, tenant):
                complain(line)
        except DuckDBError as error:
            said = str(error).replace(str(folder.root), "").splitlines()[0]
            raise QueryRefused(said, cure="SHOW TABLES lists what there is") from error


def _answer(connection: Connection, format: Format, target: Path | None, caveat: Caveat) -> None:
    names = [column[0] for column in connection.description or []]
    caveat.columns(names)
    if format is Format.TABLE:
        rows = connection.fetchmany(SHOWN_ROWS + 1)
        table(names, caveat.watched(rows[:SHOWN_ROWS]))
        if len(rows) > SHOWN_ROWS:
            complain(f"only the first {SHOWN_ROWS} rows are shown; --format csv gives all")
        return
    write = write_json if format is Format.JSON else write_csv
    if target is None:
        write(sys.stdout, names, caveat.watched(_rows(connection)))
        return
    with target.open("w", encoding="utf-8", newline="") as stream:
        write(stream, names, caveat.watched(_rows(connection)))


def _rows(connection: Connection) -> Iterator[tuple[Any, ...]]:
    while rows := connection.fetchmany(10_000):
        yield from rows


def _parquet(
    connection: Connection,
    asked: str,
    values: Mapping[str, Any],
    target: Path | None,
    caveat: Caveat,
) -> None:
    if target is None and sys.stdout.isatty():
        raise QueryRefused("Parquet on a terminal", "a file", "Add --output FILE.parquet")
    reader: Any = connection.sql(asked, params=values or None).to_arrow_reader(100_000)
    sink: Any = target or sys.stdout.buffer
    with pq.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            caveat.batch(batch)


def open_command(tenant: Annotated[str, typer.Argument(metavar="TENANT")]) -> None:
    """Print the one line that opens the tenant's file in the DuckDB shell, views and all."""
    installation = open_installation()
    folder = installation.folder(installation.registry.tenant(tenant).name)
    settle(folder)
    if not folder.warehouse.exists():
        raise Unknown(
            f"tenant {tenant} has no warehouse yet", cure=f"Build it with finops ingest {tenant}"
        )
    root, name = shlex.quote(str(folder.root)), folder.warehouse.name
    typer.echo(f"cd {root} && duckdb -readonly {name}")
    typer.echo(
        f"\nThe file is {folder.warehouse}. Its tables work wherever you copy it; its views\n"
        "(costs, landing_…) read the folders beside it, so open it from its own folder.\n"
        f'In Python, from there: duckdb.connect("{name}", read_only=True)\n'
        "Any DuckDB from 1.4 on opens it.",
        err=True,
    )
