"""Commands that bring data in.

Put here: `ingest`, `ingest-file`. Keep out: the order of stages (pipeline.py), what months say of
themselves (status.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from finops_pipeline.application.ingest import FilesByHand, ingest, ingest_files
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Months, Outcome, Report, Stage, Step
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.cli.show import complain, open_installation, split
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.errors import RegistryError, one_line
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    app.command("ingest")(ingest_command)
    app.command("ingest-file")(ingest_file_command)


def ingest_command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="TENANT[/PROJECT]", help="Nothing: every tenant."),
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM", help="From this billing period.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="Up to this billing period.")
    ] = None,
) -> None:
    """Take in what AWS has delivered and bring charges and tables up to date."""
    span = _span(month, first, last)
    installation = open_installation()
    project = None
    if target is not None and "/" in target:
        target, project = split(target, "PROJECT")
    tenants = (
        [installation.registry.tenant(target)]
        if target is not None
        else installation.registry.tenants()
    )
    if not tenants:
        raise RegistryError("no tenant is declared", cure="Declare some: finops apply FILE")
    if target is not None:
        _end([_watched(installation, tenants[0], project, span)])
    else:
        _end([_one_of_many(installation, tenant, span) for tenant in tenants])


def _one_of_many(installation: Installation, tenant: Tenant, span: Months) -> Report:
    """One tenant's trouble is told at the end and stops no other tenant."""
    try:
        return _watched(installation, tenant, None, span)
    except Exception as error:
        return Report([failed_step(error, Stage.INGEST, tenant.name)])


def _span(month: str | None, first: str | None, last: str | None) -> Months:
    for given in (month, first, last):
        if given is not None:
            check_month(given)
    if month and (first or last):
        raise typer.BadParameter("give --month, or --from and --to")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    return Months(month or first, month or last)


def _watched(
    installation: Installation, tenant: Tenant, project: str | None, span: Months
) -> Report:
    """Ingest with a bar on a terminal, with a line for every change elsewhere."""
    if not sys.stderr.isatty():
        return ingest(installation, tenant, project, span, _line)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(tenant.name, total=None)

        def on_step(step: Step) -> None:
            progress.update(task, description=f"{step.stage} {step.what} {step.month}", advance=1)
            if step.outcome not in ("unchanged", "empty"):
                progress.console.print(_words(step), highlight=False, markup=False)

        return ingest(installation, tenant, project, span, on_step)


def _line(step: Step) -> None:
    if step.outcome != "unchanged":
        typer.echo(_words(step), err=True)


def _words(step: Step) -> str:
    parts = [step.stage, step.what, step.month, step.outcome]
    if step.outcome in ("landed", "built"):
        parts.append(f"{step.rows} rows in {step.seconds:.2f} s")
    if step.reason:
        parts.append(f"({step.reason})")
    return one_line(" ".join(part for part in parts if part))


def _end(reports: list[Report]) -> None:
    steps = [step for report in reports for step in report.steps]
    counts = {
        outcome: sum(step.outcome == outcome for step in steps)
        for outcome in Outcome
        if outcome not in (Outcome.LEFT_OUT, Outcome.ASKED)
    }
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    typer.echo(said or "nothing to do")
    failed = [step for report in reports for step in report.failed]
    for step in failed:
        complain(f"{step.stage} {step.what} {step.month} {step.outcome}: {step.reason}")
    if failed:
        raise typer.Exit(1)


def ingest_file_command(
    source: Annotated[str, typer.Argument(metavar="TENANT/SOURCE")],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CSV or Parquet files, or folders of them."),
    ],
    metric: Annotated[
        Metric | None,
        typer.Option(help="What a CSV of Cost Explorer's console shows; unblended when not said."),
    ] = None,
) -> None:
    """Take in files that have no manifest; together they are the whole of their months."""
    tenant_name, name = split(source, "SOURCE")
    installation = open_installation()
    given = FilesByHand(tenant_name, name, files, metric)
    _end([ingest_files(installation, given, _line)])
