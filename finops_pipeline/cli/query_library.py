"""Commands that list, show and run the ready-made queries.

Put here: `queries`, `queries show`, `queries run`. Keep out: the queries (marts/queries),
restricting them to one tenant (serve/sandbox.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.progress import Months
from finops_pipeline.cli.query import Destination, RawOption, write_answer
from finops_pipeline.cli.show import ExactOption, Format, table
from finops_pipeline.marts.use_cases import bind_parameters, use_case, use_cases
from finops_pipeline.serve.queries import Query
from finops_pipeline.tenants.months import check_month

Name = Annotated[str, typer.Argument(metavar="NAME")]


def list_command() -> None:
    """List the ready-made queries for common FinOps questions."""
    rows = [(query.name, query.meaning, ", ".join(query.parameters)) for query in use_cases()]
    table(("name", "meaning", "parameters (--set)"), rows)


def show_command(name: Name) -> None:
    """Print a query's SQL, to read, copy and change."""
    typer.echo(use_case(name).sql, nl=False)


def run_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    name: Name,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM", help="From this billing period.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="Up to this billing period.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of this query; finops queries lists them.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of the answer.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write to this file instead of stdout.")
    ] = None,
    exact: ExactOption = False,
    raw: RawOption = False,
) -> None:
    """Run a ready-made query on the tenant's file; it can read only this tenant's data."""
    for period in filter(None, (first, last)):
        check_month(period)
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    own_values = {}
    for parameter in parameters or []:
        key, equals, value = parameter.partition("=")
        if not equals:
            raise typer.BadParameter(f"{parameter!r} is not NAME=VALUE", param_hint="--set")
        own_values[key] = value
    query = use_case(name)
    values = bind_parameters(query, first, last, own_values)
    destination = Destination(format, output, exact, raw)
    write_answer(tenant, Query(query.sql, values, Months(first, last)), destination)
