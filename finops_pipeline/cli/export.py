"""The command that writes a file to share: a whole tenant, or one table.

Put here: `export` and what it prints. Keep out: the contents of the file
(application/tenant_export.py), how an answer is written (query.py).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.tenant_export import (
    ExportRequest,
    check_outside,
    export_tenant,
)
from finops_pipeline.cli.query import Destination, write_answer
from finops_pipeline.cli.show import Format, complain, open_installation, say
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.errors import FileProblem, Unknown, counted, did_you_mean
from finops_pipeline.lake.duck import ident
from finops_pipeline.serve.queries import Query

_FORMATS = {f".{format.value}": format for format in Format if format is not Format.TABLE}


def export_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="Only this table, as .parquet, .xlsx, .csv or .json."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="File to write; default: TENANT.duckdb or TABLE.parquet in the current folder.",
        ),
    ] = None,
    detail: Annotated[
        bool, typer.Option("--detail", help="Export every charge, too, not only aggregated tables.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing file, whatever it is.")
    ] = False,
) -> None:
    """Write a tenant's tables to one DuckDB file to share, or one table as Parquet or XLSX."""
    if table is not None:
        if detail:
            raise typer.BadParameter("--detail applies only to a whole tenant; leave out TABLE")
        _export_table(tenant, table, output or Path(f"{table}.parquet"), force)
        return
    output = output or Path(f"{tenant}.duckdb")
    request = ExportRequest(tenant, output, detail, force)
    exported = export_tenant(open_installation(), request)
    tables = counted(exported.tables, "table", "tables and views")
    say(f"wrote {output}: {tables}, {exported.size_bytes / 1_000_000:.1f} MB")
    say(
        f"Open it with: duckdb -readonly {shlex.quote(str(output))}\n"
        "Start with: from about;   It needs DuckDB 1.4 or later and no other files.",
        to_stderr=True,
    )
    if not exported.is_trusted:
        complain(f"{exported.trust}; see finops status {tenant}")


def _export_table(tenant: str, name: str, output: Path, force: bool) -> None:
    contract = next((table for table in TABLES if table.name == name), None)
    if contract is None:
        names = [table.name for table in TABLES]
        raise Unknown(
            f"there is no table {name!r}",
            cure=did_you_mean(name, names) + f'List the tables: finops query {tenant} "from about"',
        )
    format = _FORMATS.get(output.suffix.lower())
    if format is None:
        raise FileProblem(
            f"the name of {output} does not say which format to write",
            f"a name that ends in {', '.join(_FORMATS)}",
            "Choose such a name with -o",
        )
    check_outside(open_installation(), output)
    if output.exists() and not force:
        raise FileProblem(
            f"{output} exists", "a new file", "Choose another name, or add --force to replace it"
        )
    columns = {column.name for column in contract.columns}
    order = ", ".join(ident(column) for column in contract.grain if column in columns)
    sql = f"select * from {ident(name)}" + (f" order by {order}" if order else "")
    write_answer(tenant, Query(sql), Destination(format, output))
    say(f"wrote {output}")
