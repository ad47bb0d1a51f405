"""Commands for business metrics, such as orders per day, from which unit costs are computed.

Put here: `metrics load`, `metrics list`, `metrics remove`. Keep out: what they do
(application/business_metrics.py).
"""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.business_metrics import (
    ListedMetric,
    describe_loaded,
    list_metrics,
    load_metrics,
    remove_metric,
)
from finops_pipeline.cli.show import (
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]


def load_command(
    tenant: TenantName,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV or Parquet with the columns date, metric, value and optionally project.",
        ),
    ],
    project: Annotated[
        str, typer.Option(metavar="PROJECT", help="Project of all values in the file.")
    ] = "",
) -> None:
    """Load business metrics such as orders per day; values of the same days are replaced."""
    for loaded in load_metrics(open_installation(), tenant, file, project):
        say(describe_loaded(loaded))


def list_command(
    tenant: TenantName,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """List a tenant's business metrics, with the projects and days that have values."""
    refuse_parquet(format)
    listed = list_metrics(open_installation(), tenant)
    if format is Format.TABLE:
        empty = f"No metric has been loaded. Load a file: finops metrics load {tenant} FILE"
        names = [field.name for field in fields(ListedMetric)]
        table(names, map(astuple, listed), layout=Layout(if_empty=empty))
    else:
        write_records(format, ListedMetric, listed)


def remove_command(
    tenant: TenantName,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="Name of the metric.")],
    project: Annotated[
        str | None,
        typer.Option(metavar="PROJECT", help="Only this project; '': only the whole tenant's."),
    ] = None,
) -> None:
    """Remove the values of a business metric, of all days."""
    removed = remove_metric(open_installation(), tenant, metric, project)
    say(f"- metric {tenant}/{metric}: {counted(removed.values, 'value')} removed")
    for name in removed.shared_costs:
        complain(
            f"shared cost {tenant}/{name} is split by {metric}: its shares have changed. See them:"
            f" finops queries run {tenant} shared_costs"
        )
