"""Commands over the library of queries.

Put here: `queries`, `queries show`, `queries run`. Keep out: the queries (marts/queries), what
keeps them inside one tenant (serve/sandbox.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.progress import Months
from finops_pipeline.cli.query import answer
from finops_pipeline.cli.show import Format, table
from finops_pipeline.marts.use_cases import bind_parameters, use_case, use_cases

Name = Annotated[str, typer.Argument(metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    group = typer.Typer(help="Questions of FinOps work, ready to run.", add_completion=False)
    group.callback(invoke_without_command=True)(list_command)
    group.command("show")(show_command)
    group.command("run")(run_command)
    app.add_typer(group, name="queries")


def list_command(context: typer.Context) -> None:
    """Questions of FinOps work, ready to run: without a further word, all of them."""
    if context.invoked_subcommand is None:
        rows = [(query.name, query.meaning, ", ".join(query.parameters)) for query in use_cases()]
        table(("name", "what", "own parameters"), rows)


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
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the query itself."),
    ] = None,
    format: Annotated[Format, typer.Option(help="Form of the answer.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write here instead of stdout.")
    ] = None,
) -> None:
    """Ask the tenant's file a query of the library; it can see this tenant and nothing else."""
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    values = {}
    for words in given or []:
        key, sign, value = words.partition("=")
        if not sign:
            raise typer.BadParameter(f"{words!r} is not NAME=VALUE", param_hint="--set")
        values[key] = value
    query = use_case(name)
    given_values = bind_parameters(query, first, last, values)
    answer(tenant, query.sql, given_values, format, output, Months(first, last))
