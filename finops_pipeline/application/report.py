"""The daily or weekly report of a tenant: cost, what changed, budgets, months, waste, alerts.

Put here: what a report contains, and sending it. Keep out: its SQL (marts/reports), making words
harmless (channels/message.py), the schedule (alert_times.py).

A report is about the newest complete days of the bill and the same days a week before, never about
a month that has hardly begun.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_pipeline import clock
from finops_pipeline.application.alert_outbox import send_over
from finops_pipeline.application.alert_texts import name_tenant
from finops_pipeline.application.alert_times import (
    FAILED,
    REPORT,
    due_report_channels,
    is_being_sent,
    is_paused,
)
from finops_pipeline.application.alerts import list_alerts
from finops_pipeline.application.budget_list import BudgetStatus, list_budgets
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.path_free_text import without_folders
from finops_pipeline.channels.message import Message, Section
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.duck import Connection, fetch_dicts
from finops_pipeline.lake.ledger_copy import keep_copy
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.ledger.alert_records import (
    SENDING,
    AlertDelivery,
    AlertRecord,
    read_alert_deliveries,
    record_alert_delivery,
    replace_alert_delivery,
)
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.marts.report_sql import report_sql
from finops_pipeline.money import difference, exact_sum, in_cents
from finops_pipeline.reconciliation.states import Status
from finops_pipeline.tenants.alert_settings import ReportPeriod
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Tenant

_DAYS = {ReportPeriod.DAY: 1, ReportPeriod.WEEK: 7}
_MONTHS = 3
_LOST = "the process that was sending it ended before it recorded the outcome"


@dataclass(frozen=True)
class Report:
    """A report as data; amounts are exact effective costs, each currency apart."""

    tenant: str
    period: str
    first_day: date | None
    last_day: date | None
    costs: list[dict[str, Any]]
    movers: list[dict[str, Any]]
    budgets: list[BudgetStatus]
    months: list[Status]
    waste: list[dict[str, Any]]
    alerts: list[AlertRecord]


def make_report(installation: Installation, tenant: str, period: ReportPeriod) -> Report:
    """Make the report about the newest complete day or week of a tenant's bills.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
    """
    declared = installation.registry.tenant(tenant)
    with reading(installation.folder(declared.name)) as connection:
        ((last,),) = connection.execute(report_sql("report_day")).fetchall()
        first = last - timedelta(days=_DAYS[period] - 1) if last else None
        days = {"first_day": first, "last_day": last}
        costs = _query(connection, "report_costs", days) if last else []
        movers = _query(connection, "report_movers", days) if last else []
        waste = _query(connection, "report_waste", {})
    statuses = installation.status(declared.name)
    months = sorted({status.billing_period for status in statuses})[-_MONTHS:]
    return Report(
        tenant=declared.name,
        period=period.value,
        first_day=first,
        last_day=last,
        costs=costs,
        movers=movers,
        budgets=list_budgets(installation, declared.name),
        months=[status for status in statuses if status.billing_period in months],
        waste=waste,
        alerts=list_alerts(installation, declared.name),
    )


def _query(connection: Connection, name: str, days: dict[str, Any]) -> list[dict[str, Any]]:
    return fetch_dicts(connection.execute(report_sql(name), days))


def send_report(installation: Installation, tenant: str) -> list[AlertDelivery]:
    """Send the report of a tenant now, over the channels of its schedule.

    A channel that fails is in the result and in the history.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
        RegistryError: it is disabled, or declares no report.
        TenantBusy: another process is writing this tenant.
    """
    declared = installation.registry.tenant(tenant)
    require_active("tenant", declared.name, declared)
    schedule = declared.alerts.report
    if schedule is None:
        raise RegistryError(
            f"tenant {declared.name} declares no report",
            "alerts.report with every, at and channels in its entry in tenants.yaml",
            "Declare it, and apply the file: finops apply tenants.yaml",
        )
    return _send(installation, declared, list(schedule.channels))


def send_due_report(installation: Installation, tenant: str) -> list[AlertDelivery]:
    """Send the report of a tenant over the channels that lack the newest scheduled one.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
        RegistryError: it is disabled.
        TenantBusy: another process is writing this tenant.
    """
    declared = installation.registry.tenant(tenant)
    require_active("tenant", declared.name, declared)
    schedule = declared.alerts.report
    if schedule is None:
        return []
    due = _due_channels(declared, open_ledger(installation.folder(declared.name)))
    return _send(installation, declared, due, is_scheduled=True)


def _due_channels(tenant: Tenant, ledger: Ledger) -> list[str]:
    schedule, now = tenant.alerts.report, clock.now()
    if schedule is None:
        return []
    deliveries = read_alert_deliveries(ledger)
    due = due_report_channels(schedule, deliveries, tenant.alerts.zone, now)
    return [name for name in due if not is_paused(name, deliveries, now)]


def _send(
    installation: Installation, tenant: Tenant, names: list[str], is_scheduled: bool = False
) -> list[AlertDelivery]:
    """Send the report over channels, each of which is marked before and recorded after."""
    channels = [channel for channel in tenant.alerts.channels if channel.name in names]
    if not channels or tenant.alerts.report is None:
        return []
    report = make_report(installation, tenant.name, tenant.alerts.report.every)
    message = compose_report(tenant, report)
    begun = _begin(installation, tenant, names, is_scheduled)
    results = []
    for channel in channels:
        if channel.name in begun:
            results.append(send_over(installation, channel, message))
            _record(installation, tenant.name, begun[channel.name], results[-1])
    return results


def _begin(
    installation: Installation, tenant: Tenant, names: list[str], is_scheduled: bool
) -> dict[str, AlertDelivery]:
    """Record that this process sends the report; return these records by channel.

    Of a scheduled report, channels are left out over which another process has begun to send it.
    """
    with installation.writing(tenant.name) as session:
        ledger, now = session.writer.ledger, clock.now()
        due = _due_channels(tenant, ledger) if is_scheduled else names
        free = [name for name in names if name in due]
        at = now.isoformat(timespec="seconds")
        lost = [
            replace_alert_delivery(old, replace(old, outcome=FAILED, reason=_LOST))
            for old in read_alert_deliveries(ledger)
            if old.outcome == SENDING and not is_being_sent(old, now)
        ]
        new = [AlertDelivery(name, REPORT, at, 1, 0, SENDING, "") for name in free]
        ledger.write(*lost, *map(record_alert_delivery, new))
        keep_copy(session.writer.folder, ledger)
        deliveries = read_alert_deliveries(ledger)
        return {d.channel: d for d in deliveries if d.outcome == SENDING and d.channel in free}


def _record(
    installation: Installation, tenant: str, begun: AlertDelivery, delivery: AlertDelivery
) -> None:
    with installation.writing(tenant) as session:
        session.writer.ledger.write(replace_alert_delivery(begun, delivery))
        keep_copy(session.writer.folder, session.writer.ledger)


def compose_report(tenant: Tenant, report: Report) -> Message:
    """Compose the message of a report."""
    days = f"{report.first_day} to {report.last_day}"
    if report.period == ReportPeriod.DAY:
        days = str(report.last_day)
    title = f"{name_tenant(tenant)}: costs of {days if report.last_day else 'no day yet'}"
    sections = (
        *_cost_sections(report),
        _section(
            "Budgets",
            ("budget", "state", "amount", "so far", "forecast", "currency"),
            [
                (
                    b.budget,
                    b.state,
                    in_cents(b.amount),
                    in_cents(b.actual_cost),
                    "-" if b.forecast_cost is None else in_cents(b.forecast_cost),
                    b.billing_currency,
                )
                for b in report.budgets
            ],
            "No budget is declared, or none has a month yet.",
        ),
        _section(
            "Can the months be trusted?",
            ("month", "source", "state"),
            [(s.billing_period, s.source, s.state.value) for s in report.months],
            "Nothing has landed yet.",
        ),
        _section(
            "Waste: what could be saved in 30 days",
            ("project", "findings", "saving", "currency"),
            [
                (w["project"], str(w["findings"]), in_cents(w["saving"]), w["billing_currency"])
                for w in report.waste
            ],
            "No rule finds anything.",
        ),
        Section(
            "Open alerts",
            [f"{alert.severity}: {without_folders(alert.summary)}" for alert in report.alerts]
            or ["None."],
        ),
    )
    facts = {"kind": REPORT, "period": report.period, "last_day": str(report.last_day or "")}
    return Message(tenant.name, title, sections, facts)


def _cost_sections(report: Report) -> list[Section]:
    rows = []
    for currency in sorted({row["billing_currency"] for row in report.costs}):
        own = [row for row in report.costs if row["billing_currency"] == currency]
        cost, before = (exact_sum(row[name] for row in own) for name in ("cost", "cost_before"))
        rows += [
            _compared(row["project"], row["cost"], row["cost_before"], currency) for row in own
        ]
        rows.append(_compared("all projects", cost, before, currency))
    movers = [
        _compared(f"{r['project']}, {r['service_name']}", r["cost"], r["cost_before"],
                  r["billing_currency"])
        for r in report.movers
    ]  # fmt: skip
    names = ("cost", "a week before", "change", "currency")
    return [
        _section("Effective cost", ("project", *names), rows, "The bill has no complete day yet."),
        _section("What changed most", ("project, service", *names), movers, "Nothing changed."),
    ]


def _compared(name: str, cost: Decimal, before: Decimal, currency: str) -> tuple[str, ...]:
    return name, in_cents(cost), in_cents(before), in_cents(difference(cost, before)), currency


def _section(
    heading: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], empty: str
) -> Section:
    return Section(heading, () if rows else (empty,), columns, rows)
