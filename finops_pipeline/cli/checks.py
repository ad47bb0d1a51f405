"""The command that runs every check over what is published.

Put here: `check`, and how failures are told. Keep out: the checks and running them (marts).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from finops_pipeline.cli.show import Format, open_installation, write_csv, write_json
from finops_pipeline.marts.results import CheckResult, CheckState, check_published, describe_row
from finops_pipeline.tenants.months import check_month


def register(app: typer.Typer) -> None:
    """Put this command under `finops`."""
    app.command("check")(check_command)


def check_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
    ] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Run every check anew over the published files, as they lie on the disk now."""
    if format is Format.PARQUET:
        raise typer.BadParameter("table, csv or json", param_hint="--format")
    installation = open_installation()
    folder = installation.folder(installation.registry.tenant(tenant).name)
    results = check_published(folder, installation.limits, check_month(month) if month else None)
    if format is Format.TABLE:
        _tell(results)
    else:
        write = write_json if format is Format.JSON else write_csv
        names = ("check_name", "billing_period", "state", "severity", "rows", "example", "says")
        write(sys.stdout, names, [_row(result) for result in results])
    if any(result.state is CheckState.FAILED for result in results):
        raise typer.Exit(1)


def _row(result: CheckResult) -> tuple[str | int | None, ...]:
    example = result.examples[0] if result.examples else None
    kept = (result.check_name, result.billing_period, result.state, result.severity)
    return (*kept, result.rows, example, result.says)


def _tell(results: Sequence[CheckResult]) -> None:
    """One line a check; below a failed one its months, and the first rows of each."""
    by_check: dict[str, list[CheckResult]] = {}
    for result in results:
        by_check.setdefault(result.check_name, []).append(result)
    for name, mine in by_check.items():
        failed = [result for result in mine if result.state is CheckState.FAILED]
        if not failed:
            typer.echo(f"ok      {name} ({len(mine)} months)")
            continue
        severity = failed[0].severity
        typer.echo(f"FAILED  {name} ({severity}): {failed[0].says}")
        for result in failed:
            typer.echo(f"        {result.billing_period or 'all months'}: {result.rows} rows")
            for example in result.examples:
                typer.echo(f"          {describe_row(example)}")
    if not by_check:
        typer.echo("nothing to check: no charges are published of what was asked for")
