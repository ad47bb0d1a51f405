"""Commands that ingest data or rebuild it.

Put here: `ingest`, `ingest-file`, `rebuild`, and how their progress is printed. Keep out: the order
of stages (application/ingest.py, rebuild.py), the state of months (status.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest, ingest_files
from finops_pipeline.application.ingest_requests import (
    CarriedOut,
    RequestState,
    carry_out_requests,
)
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.plan import RunScope
from finops_pipeline.application.progress import (
    Months,
    OnStep,
    Report,
    Stage,
    Step,
    StepOutcome,
)
from finops_pipeline.application.rebuild import rebuild
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.cli.failures import FAILED, report_failures
from finops_pipeline.cli.show import Format, open_installation, say, split
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.errors import RegistryError, counted, one_line
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month

MonthOption = Annotated[
    str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
]
FirstOption = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM", help="From this billing period.")
]
LastOption = Annotated[
    str | None, typer.Option("--to", metavar="YYYY-MM", help="Up to this billing period.")
]


def ingest_command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="TENANT[/PROJECT]", help="Default: every tenant."),
    ] = None,
    month: MonthOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    resources: Annotated[
        bool,
        typer.Option(help="Ask for resources and metrics even if they were asked for today."),
    ] = False,
    requested: Annotated[
        bool,
        typer.Option("--requested", help="Only what was requested over the HTTP API and waits."),
    ] = False,
) -> None:
    """Ingest what AWS has delivered, and bring charges and tables up to date."""
    months = _parse_months(month, first, last)
    installation = open_installation()
    if requested:
        if months != Months() or "/" in (target or ""):
            raise typer.BadParameter("--requested takes at most a tenant: each request covers all")
        _print_requests(carry_out_requests(installation, target))
        return
    project = None
    if target is not None and "/" in target:
        target, project = split(target, "PROJECT")
    tenants = (
        [installation.registry.tenant(target)]
        if target is not None
        else _active_tenants(installation)
    )
    if target is not None:
        scope = RunScope(project, months, resources)
        _print_summary([_ingest_with_progress(installation, tenants[0], scope)])
    else:
        scope = RunScope(months=months, is_collected_again=resources)
        _print_summary([_ingest_as_part(installation, tenant, scope) for tenant in tenants])


def _print_requests(carried_out: CarriedOut) -> None:
    """Print what became of requests.

    On stdout, with what failed: the server, whose log must not repeat values of a bill, drops it.
    """
    for tenant, request in carried_out.ended:
        say(f"{tenant}: the request of {request.requested_at[:19]} is {request.state}")
        for failure in request.failures:
            say(one_line(f"  {failure.subject} {failure.month}: {failure.found}"))
    if not (carried_out.ended or carried_out.failures):
        say("nothing was requested")
    report_failures(carried_out.failures, Format.TABLE)
    if any(request.state is RequestState.FAILED for _, request in carried_out.ended):
        raise typer.Exit(FAILED)


def _active_tenants(installation: Installation) -> list[Tenant]:
    """Return the tenants that a run over all tenants covers, and say which it leaves out."""
    tenants = installation.registry.tenants()
    if not tenants:
        raise RegistryError("no tenant is declared", cure="Declare tenants: finops apply FILE")
    for tenant in tenants:
        if not tenant.is_active:
            say(f"tenant {tenant.name} is {tenant.state} and is left out", to_stderr=True)
    return [tenant for tenant in tenants if tenant.is_active]


def _ingest_as_part(installation: Installation, tenant: Tenant, scope: RunScope) -> Report:
    """Ingest one of several tenants; its failure is reported at the end and stops no other."""
    try:
        return _ingest_with_progress(installation, tenant, scope)
    except Exception as error:
        step = failed_step(error, Stage.INGEST, tenant.name)
        _print_step(step)
        return Report([step])


def _parse_months(month: str | None, first: str | None, last: str | None) -> Months:
    for period in (month, first, last):
        if period is not None:
            check_month(period)
    if month and (first or last):
        raise typer.BadParameter("give --month, or --from and --to")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    return Months(month or first, month or last)


def _ingest_with_progress(installation: Installation, tenant: Tenant, scope: RunScope) -> Report:
    return _with_progress(tenant, lambda on_step: ingest(installation, tenant, scope, on_step))


def _with_progress(tenant: Tenant, run: Callable[[OnStep], Report]) -> Report:
    """Run with a progress bar on a terminal, otherwise with one line per change."""
    if not sys.stderr.isatty():
        return run(_print_step)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(tenant.name, total=None)

        def on_step(step: Step) -> None:
            progress.update(
                task, description=f"{step.stage} {step.subject} {step.month}", advance=1
            )
            if step.outcome not in ("unchanged", "empty"):
                progress.console.print(_describe(step), highlight=False, markup=False)

        return run(on_step)


def _print_step(step: Step) -> None:
    if step.outcome != "unchanged":
        say(_describe(step), to_stderr=True)


def _describe(step: Step) -> str:
    parts = [step.stage, step.subject, step.month, step.outcome]
    if step.outcome in ("landed", "built"):
        parts.append(f"{counted(step.rows, 'row')} in {step.seconds:.2f} s")
    if step.has_failed:
        return one_line(f"finops: {' '.join(part for part in parts if part)}: {step.reason}")
    if step.reason:
        parts.append(f"({step.reason})")
    return one_line(" ".join(part for part in parts if part))


def _print_summary(reports: list[Report]) -> None:
    steps = [step for report in reports for step in report.steps]
    counts = {
        outcome: sum(step.outcome == outcome for step in steps)
        for outcome in StepOutcome
        if outcome not in (StepOutcome.LEFT_OUT, StepOutcome.REQUESTS_SENT)
    }
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    say(summary or "nothing to do")
    if any(report.failed for report in reports):  # each failure was printed when it happened
        raise typer.Exit(1)


def ingest_file_command(
    source: Annotated[str, typer.Argument(metavar="TENANT/SOURCE")],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CSV or Parquet files, or folders of them."),
    ],
    metric: Annotated[
        Metric | None,
        typer.Option(help="Metric of a CSV from Cost Explorer's console; default: unblended."),
    ] = None,
) -> None:
    """Ingest files without a manifest; together they are the complete bill of their months."""
    tenant_name, name = split(source, "SOURCE")
    installation = open_installation()
    imported = FilesByHand(tenant_name, name, files, metric)
    _print_summary([ingest_files(installation, imported, _print_step)])


def rebuild_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    month: MonthOption = None,
    first: FirstOption = None,
    last: LastOption = None,
) -> None:
    """Rebuild charges and tables, land lost months again, and repair the tenant's folder."""
    scope = RunScope(project, _parse_months(month, first, last))
    installation = open_installation()
    declared = installation.registry.tenant(tenant)
    _print_summary(
        [_with_progress(declared, lambda on_step: rebuild(installation, declared, scope, on_step))]
    )
