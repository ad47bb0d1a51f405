"""Commands for findings of waste: what could be saved, and what the team decides.

Put here: `waste list`, `explain`, `accept`, `start`, `dismiss`, `finish`. Keep out: what they do
(application/waste.py), the rules (marts/waste_rules).
"""

from __future__ import annotations

import json
from dataclasses import astuple, fields
from datetime import date, datetime
from typing import Annotated

import typer

from finops_pipeline.application.waste import (
    ListedFinding,
    WasteChoice,
    WasteExplanation,
    WasteSelection,
    WasteStatus,
    decide,
    explain_finding,
    list_findings,
)
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
    write_rows,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.money import exact_sum, plain

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
FindingId = Annotated[str, typer.Argument(metavar="FINDING", help="Id of a finding.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
_DISPENSABLE = ("reason", "cost", "monthly_saving", "confidence", "state")


def list_command(
    tenant: TenantName,
    project: Annotated[
        str, typer.Option(metavar="PROJECT", help="Only findings of this project.")
    ] = "",
    rule: Annotated[str, typer.Option(metavar="RULE", help="Only this rule, such as A08.")] = "",
    state: Annotated[str, typer.Option(help="Only found or only unknown.")] = "",
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """List what could be saved in 30 days, by resource, and what the bill cannot tell."""
    refuse_parquet(format)
    if state not in ("", "found", "unknown"):
        raise typer.BadParameter("give found or unknown", param_hint="--state")
    found = list_findings(open_installation(), tenant, WasteSelection(project, rule, state))
    if format is not Format.TABLE:
        write_records(format, ListedFinding, found)
        return
    names = [field.name for field in fields(ListedFinding)]
    empty = "No rule finds anything in the last 30 complete days."
    table(names, map(astuple, found), layout=Layout("", exact, _DISPENSABLE, empty))
    for currency in sorted({finding.billing_currency for finding in found}):
        own = [finding.counted_saving for finding in found if finding.billing_currency == currency]
        complain(f"{counted(len(own), 'finding')} in {currency}, together {plain(exact_sum(own))}")


def explain_command(
    tenant: TenantName,
    finding: FindingId,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Explain a finding: evidence, rule, what would disprove it, price, realised savings."""
    refuse_parquet(format)
    explained = explain_finding(open_installation(), tenant, finding)
    facts = _facts(explained)
    if format is Format.TABLE:
        for name, value in facts.items():
            say(f"{name}: {'-' if value is None else value}")
        say()
        say(explained.rule.sql)
    else:
        write_rows(format, list(facts), [list(facts.values())])


def _facts(explained: WasteExplanation) -> dict[str, object]:
    rule = explained.rule
    realised = [
        {key: None if value is None else str(value) for key, value in month.items()}
        for month in explained.realised
    ]
    return {
        **explained.finding,
        "window": rule.window,
        "disproved_by": rule.disproof,
        "price_from": rule.price_source,
        "realised": json.dumps(realised),
    }


def accept_command(tenant: TenantName, finding: FindingId, reason: ReasonOption = "") -> None:
    """Accept a finding: the team will make the change."""
    _decide(tenant, WasteChoice(finding, WasteStatus.ACCEPTED, reason))


def start_command(tenant: TenantName, finding: FindingId, reason: ReasonOption = "") -> None:
    """Note that the change of a finding is in progress."""
    _decide(tenant, WasteChoice(finding, WasteStatus.IN_PROGRESS, reason))


def dismiss_command(
    tenant: TenantName,
    finding: FindingId,
    reason: ReasonOption = "",
    until: Annotated[
        datetime | None,
        typer.Option(metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help="Default: for good."),
    ] = None,
) -> None:
    """Dismiss a finding with a reason, for good or until a day; it no longer counts."""
    _decide(tenant, WasteChoice(finding, WasteStatus.DISMISSED, reason, _day(until)))


def finish_command(
    tenant: TenantName,
    finding: FindingId,
    on: Annotated[
        datetime | None,
        typer.Option(
            "--on",
            metavar="YYYY-MM-DD",
            formats=["%Y-%m-%d"],
            help="Day on which the change was finished. Default: today.",
        ),
    ] = None,
    reason: ReasonOption = "",
) -> None:
    """Note that the change is done; later bills show what it has saved."""
    _decide(tenant, WasteChoice(finding, WasteStatus.DONE, reason, _day(on)))


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _decide(tenant: str, choice: WasteChoice) -> None:
    decision = decide(open_installation(), tenant, choice)
    until = f" until {decision.until}" if decision.until else ""
    day = f" on {decision.done_on}" if decision.done_on else ""
    say(f"{tenant} {decision.finding_id}: {decision.status}{until}{day}")
