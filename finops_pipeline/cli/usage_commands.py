"""Commands for the metrics of CloudWatch: what is known of them, and what they cost.

Put here: `metrics coverage`, `metrics estimate`. Keep out: what they do
(application/usage_collection.py), business metrics (metric_commands.py).
"""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Annotated

import typer

from finops_pipeline.application.usage_collection import (
    CoveredMetric,
    estimate_usage,
    read_metric_costs,
    read_metric_coverage,
)
from finops_pipeline.cli.show import (
    Format,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.landing.usage_landing import UsageEstimate

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]


def coverage_command(
    tenant: TenantName,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Show which metrics of CloudWatch are known, and what the requests cost."""
    refuse_parquet(format)
    installation = open_installation()
    covered = read_metric_coverage(installation, tenant)
    if format is not Format.TABLE:
        write_records(format, CoveredMetric, covered)
        return
    empty = f"No metric has been asked. Ask for those that are due: finops ingest {tenant}"
    names = [field.name for field in fields(CoveredMetric)]
    table(names, map(astuple, covered), layout=Layout(if_empty=empty))
    for costs in read_metric_costs(installation, tenant):
        requests = counted(costs.requests, "request")
        say(f"{tenant}/{costs.source} {costs.month}: {requests}, USD {costs.cost_usd:.2f} at most")


def estimate_command(
    tenant: TenantName,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Show what the next run would request of CloudWatch and cost at most; request nothing."""
    refuse_parquet(format)
    estimates = estimate_usage(open_installation(), tenant)
    if format is not Format.TABLE:
        write_records(format, UsageEstimate, estimates)
        return
    empty = f"Tenant {tenant} has no source of the format cloudwatch."
    names = [field.name for field in fields(UsageEstimate)]
    table(names, map(astuple, estimates), layout=Layout(if_empty=empty))
