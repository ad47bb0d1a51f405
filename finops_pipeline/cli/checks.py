"""The command that runs every check over what is published.

Put here: `check`, and how failures are printed. Keep out: running checks
(application/published_charges.py), the checks themselves (marts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from finops_pipeline.application.published_charges import check_charges
from finops_pipeline.cli.show import Format, open_installation, refuse_parquet, say, write_rows
from finops_pipeline.errors import counted
from finops_pipeline.marts.results import CheckResult, CheckState, describe_row

_NAMES = ("check_name", "billing_period", "state", "severity", "rows", "example", "says")


def check_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
    ] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Run every check again on the published files on disk."""
    refuse_parquet(format)
    results = check_charges(open_installation(), tenant, month)
    if format is Format.TABLE:
        _print_results(results)
    else:
        write_rows(format, _NAMES, [_row(result) for result in results])
    if any(result.state is CheckState.FAILED for result in results):
        raise typer.Exit(1)


def _row(result: CheckResult) -> tuple[str | int | None, ...]:
    example = result.examples[0] if result.examples else None
    key = (result.check_name, result.billing_period, result.state, result.severity)
    return (*key, result.rows, example, result.says)


def _print_results(results: Sequence[CheckResult]) -> None:
    """Print one line per check; below a failed one its months, and the first rows of each."""
    by_check: dict[str, list[CheckResult]] = {}
    for result in results:
        by_check.setdefault(result.check_name, []).append(result)
    for name, of_check in by_check.items():
        failed = [result for result in of_check if result.state is CheckState.FAILED]
        if not failed:
            say(f"ok      {name} ({counted(len(of_check), 'month')})")
            continue
        say(f"FAILED  {name} ({failed[0].severity}): {failed[0].says}")
        for result in failed:
            say(f"        {result.billing_period or 'all months'}: {counted(result.rows, 'row')}")
            for example in result.examples:
                say(f"          {describe_row(example)}")
    if not by_check:
        say("Nothing to check: no charges of this selection are published.")
