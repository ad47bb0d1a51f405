"""The command that lists the files of a table.

Put here: `files` and its layout. Keep out: choosing the files (application/table_files.py).
"""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Annotated

import typer

from finops_pipeline.application.table_files import TableFile, list_table_files
from finops_pipeline.cli.show import (
    Format,
    open_installation,
    refuse_parquet,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout


def files_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    table_name: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="landing, costs, resources, resource_metrics, quarantine, …",
        ),
    ],
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """List the current files of a table, for programs such as Spark or Polars."""
    refuse_parquet(format)
    listed = list_table_files(open_installation(), tenant, table_name)
    if format is Format.TABLE:
        empty = f"No file of {table_name} is published. Publish: finops ingest {tenant}"
        names = [field.name for field in fields(TableFile)]
        table(names, map(astuple, listed), layout=Layout(if_empty=empty))
    else:
        write_records(format, TableFile, listed)
