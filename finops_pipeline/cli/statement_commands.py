"""Commands for statements: what each project is charged for a month.

Put here: `statements preview`, `close`, `adjust`, `list`, `show`. Keep out: what they do
(application/statements.py), how statements are written (statement_output.py, statement_page.py).
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.closed_statements import (
    StatedVersion,
    StatementSummary,
    list_statements,
)
from finops_pipeline.application.statement_documents import preview_documents, stated_documents
from finops_pipeline.application.statements import StatementRequest, adjust_month, close_month
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.statement_output import Output, StatementFormat, write_documents
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.money import plain
from finops_pipeline.reconciliation.states import ReconciliationState

RECONCILED = ReconciliationState.RECONCILED.value

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
MonthOption = Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Billing period.")]
ProjectOption = Annotated[
    str | None, typer.Option("--project", metavar="PROJECT", help="Only this project.")
]
FormatOption = Annotated[
    StatementFormat | None,
    typer.Option(help="Default: the format of FILE's suffix, or a table."),
]
ForcedOption = Annotated[
    bool,
    typer.Option("--unreconciled", help="Even if the month is not reconciled; needs --reason."),
]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", metavar="TEXT", help="Why the month is closed; appears in the statements."
    ),
]


def preview_command(
    tenant: TenantName,
    month: MonthOption,
    project: ProjectOption = None,
    format: FormatOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file instead of stdout."
        ),
    ] = None,
    exact: ExactOption = False,
) -> None:
    """Show what each project would be charged for a month; close nothing."""
    target = Output(format, output, exact)
    installation = open_installation()
    documents = preview_documents(installation, tenant, month, project)
    write_documents(installation, documents, target)
    if documents[0].state != RECONCILED:
        complain(f"{tenant} {month} is not reconciled: {documents[0].state}")


def show_command(
    tenant: TenantName,
    month: MonthOption,
    project: ProjectOption = None,
    format: FormatOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file instead of stdout."
        ),
    ] = None,
    exact: ExactOption = False,
) -> None:
    """Show a closed month with its adjustments, or write it as CSV, Parquet, XLSX or HTML."""
    target = Output(format, output, exact)
    installation = open_installation()
    write_documents(installation, stated_documents(installation, tenant, month, project), target)


def close_command(
    tenant: TenantName,
    month: MonthOption,
    reason: ReasonOption = "",
    unreconciled: ForcedOption = False,
) -> None:
    """Close the statements of a month, of all projects together; they never change afterwards."""
    request = StatementRequest(tenant, month, reason, unreconciled)
    _report(close_month(open_installation(), request), tenant)


def adjust_command(
    tenant: TenantName,
    month: MonthOption,
    reason: ReasonOption = "",
    unreconciled: ForcedOption = False,
) -> None:
    """Add a dated adjustment to a closed month whose bill has changed since."""
    request = StatementRequest(tenant, month, reason, unreconciled)
    adjustment = adjust_month(open_installation(), request)
    if adjustment is None:
        say(f"{tenant} {month}: nothing to adjust: the statements would be the same now")
    else:
        _report(adjustment, tenant)


def _report(version: StatedVersion, tenant: str) -> None:
    entry = version.entry
    name = "statement closed" if entry.version == 1 else f"adjustment, version {entry.version}"
    totals = ", ".join(f"{plain(total)} {currency}" for currency, total in version.totals.items())
    projects = counted(len({line.project for line in version.lines}), "project")
    say(f"{tenant} {entry.billing_period}: {name}, {projects}, {totals} ({entry.month_state})")
    say(f"Print it: finops statements show {tenant} --month {entry.billing_period} -o FILE.html")


def list_command(
    tenant: TenantName,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """List closed statements and adjustments, and which months an adjustment would change."""
    refuse_parquet(format)
    summaries = list_statements(open_installation(), tenant)
    if format is not Format.TABLE:
        write_records(format, StatementSummary, summaries)
        return
    names = [field.name for field in fields(StatementSummary) if field.name != "sha256"]
    rows = [[_shown(getattr(summary, name)) for name in names] for summary in summaries]
    empty = (
        "No statement is closed. Preview a month:"
        f" finops statements preview {tenant} --month YYYY-MM"
    )
    dispensable = ("projects", "closed_at", "month_state")
    table(names, rows, layout=Layout(is_exact=exact, dispensable=dispensable, if_empty=empty))


def _shown(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value
