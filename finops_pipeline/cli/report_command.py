"""The command for reports: what a tenant's newest day or week cost, as it is mailed.

Put here: `finops report`. Keep out: what a report contains (application/report.py).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.report import compose_report, make_report, send_report
from finops_pipeline.channels.message import as_text
from finops_pipeline.cli.failures import FAILED
from finops_pipeline.cli.show import (
    Format,
    complain,
    open_installation,
    say,
    write_rows,
)
from finops_pipeline.tenants.alert_settings import ReportPeriod


def report_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")],
    period: Annotated[ReportPeriod, typer.Option(help="What it is about.")] = ReportPeriod.DAY,
    send: Annotated[
        bool, typer.Option("--send", help="Send the declared report now, over its channels.")
    ] = False,
    format: Annotated[Format, typer.Option(help="table or json.")] = Format.TABLE,
) -> None:
    """Show the report of a tenant's newest complete day or week, or send it."""
    if format not in (Format.TABLE, Format.JSON):
        raise typer.BadParameter("give table or json", param_hint="--format")
    installation = open_installation()
    if send:
        _send(installation, tenant)
        return
    report = make_report(installation, tenant, period)
    if format is Format.JSON:
        facts = asdict(report)
        write_rows(format, list(facts), [list(facts.values())])
        return
    say(as_text(compose_report(installation.registry.tenant(tenant), report)).rstrip("\n"))


def _send(installation: Installation, tenant: str) -> None:
    has_failed = False
    for delivery in send_report(installation, tenant):
        if delivery.outcome == "sent":
            say(f"report over channel {delivery.channel}: sent")
        else:
            has_failed = True
            complain(f"report over channel {delivery.channel} failed: {delivery.reason}")
    if has_failed:
        raise typer.Exit(FAILED)
