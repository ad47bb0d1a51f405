"""Commands for alerts: list, send, snooze and wake, history, test.

Put here: these commands. Keep out: what they do (application/alerts.py), rules (marts/alert_rules).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import timedelta
from typing import Annotated

import typer

from finops_pipeline import clock
from finops_pipeline.application.alerts import (
    AlertRun,
    Snooze,
    deliver_alerts,
    list_alerts,
    read_history,
    snooze_alert,
    try_channels,
)
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import reason_of
from finops_pipeline.application.report import send_due_report
from finops_pipeline.cli.failures import FAILED
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
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import Unknown, counted
from finops_pipeline.ledger.alert_records import AlertDelivery, AlertRecord

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Id of an alert.")]
FormatOption = Annotated[Format, typer.Option(help="table, csv or json.")]
_SHOWN = ("alert_id", "severity", "state", "summary", "opened_at", "snoozed_until", "cure")
_RETRIED = "failed and is tried again later"
_DISPENSABLE = ("cure", "snoozed_until", "opened_at")


def list_command(
    tenant: TenantName,
    all_alerts: Annotated[
        bool, typer.Option("--all", help="List those that have recovered, too.")
    ] = False,
    format: FormatOption = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """List a tenant's open alerts as of the last run of the rules."""
    refuse_parquet(format)
    alerts = list_alerts(open_installation(), tenant, all_alerts)
    if format is not Format.TABLE:
        write_records(format, AlertRecord, alerts)
        return
    rows = [[getattr(alert, name) for name in _SHOWN] for alert in alerts]
    empty = f"No alert is open. To run the rules now: finops alerts send {tenant}"
    table(_SHOWN, rows, layout=Layout("", exact, _DISPENSABLE, empty))


def send_command(
    tenant: Annotated[
        str, typer.Argument(metavar="TENANT", help="Name of a tenant; if omitted, all of them.")
    ] = "",
) -> None:
    """Run the rules of alerts, and send the messages and reports that are due."""
    installation = open_installation()
    registry = installation.registry
    names = [tenant] if tenant else [t.name for t in registry.tenants() if t.is_active]
    has_failed = False
    for name in names:
        try:
            run = deliver_alerts(installation, name)
            _show_run(name, run)
            reports = _due_reports(installation, name)
            has_failed |= _show_deliveries(name, [*run.deliveries, *reports])
        except Exception as error:  # one tenant that fails stops no other
            if tenant:
                raise
            has_failed = True
            complain(f"{name}: {reason_of(error, f'alerts of {name}')}")
    if has_failed:
        raise typer.Exit(FAILED)


def _due_reports(installation: Installation, tenant: str) -> list[AlertDelivery]:
    """Send the reports that are due; a tenant without a file has none yet."""
    try:
        return send_due_report(installation, tenant)
    except Unknown:
        return []


def _show_run(tenant: str, run: AlertRun) -> None:
    for change in run.changes:
        say(f"{tenant}: {change.event}: {change.alert.severity}: {change.alert.summary}")
    say(f"{tenant}: {counted(len(run.open_alerts), 'open alert')}")


def _show_deliveries(tenant: str, deliveries: Sequence[AlertDelivery]) -> bool:
    """Print what became of deliveries; return whether one failed."""
    for delivery in deliveries:
        words = f"{tenant}: {delivery.kind} over channel {delivery.channel}"
        if delivery.outcome == "sent":
            say(f"{words}: sent")
        else:
            state = "reached only some" if delivery.outcome == "partial" else _RETRIED
            complain(f"{words} {state}: {delivery.reason}")
    return any(delivery.outcome != "sent" for delivery in deliveries)


def snooze_command(
    tenant: TenantName,
    alert: AlertId,
    days: Annotated[
        int, typer.Option(min=1, max=366, metavar="DAYS", help="For how many days.")
    ] = 7,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
) -> None:
    """Send nothing about an alert for some days."""
    snooze = Snooze(clock.now() + timedelta(days=days), reason)
    changed = snooze_alert(open_installation(), tenant, alert, snooze)
    say(f"{changed.alert_id} is snoozed until {changed.snoozed_until}")


def wake_command(tenant: TenantName, alert: AlertId) -> None:
    """Send messages about a snoozed alert again."""
    changed = snooze_alert(open_installation(), tenant, alert, Snooze(None))
    say(f"{changed.alert_id} is no longer snoozed")


def history_command(tenant: TenantName, format: FormatOption = Format.TABLE) -> None:
    """List what was sent to a tenant's channels, what failed and why."""
    refuse_parquet(format)
    history = read_history(open_installation(), tenant)
    if format is not Format.TABLE:
        write_records(format, AlertDelivery, history.deliveries)
        return
    names = [field.name for field in fields(AlertDelivery)]
    rows = map(astuple, history.deliveries)
    table(names, rows, layout=Layout("", False, ("id", "attempts"), "Nothing has been sent yet."))
    channels = sorted({message.channel for message in history.waiting})
    for channel in channels:
        number = sum(message.channel == channel for message in history.waiting)
        complain(f"{counted(number, 'message waits', 'messages wait')} for channel {channel}")


def test_command(
    tenant: TenantName,
    channel: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="Name of a channel; if omitted, all.")
    ] = "",
) -> None:
    """Send a test message over a tenant's channels, or one of them."""
    has_failed = False
    for delivery in try_channels(open_installation(), tenant, channel):
        if delivery.outcome == "sent":
            say(f"channel {delivery.channel}: sent")
        else:
            has_failed = True
            complain(f"channel {delivery.channel}: {delivery.reason}")
    if has_failed:
        raise typer.Exit(FAILED)
