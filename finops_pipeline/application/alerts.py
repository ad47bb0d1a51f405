"""Alerts of a tenant: finding them, keeping their state, telling people; listing and snoozing.

Put here: one function per use case; `deliver_alerts` does all that is due. Keep out: rules
(marts/alert_rules), how alerts change (alert_changes.py), what waits to be sent (alert_outbox.py),
reports (report.py).

The state is in the tenant's own ledger. Messages are sent while no lock is held, so that a webhook
that hangs delays nobody who writes the tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from finops_pipeline import clock
from finops_pipeline.application.alert_changes import AlertChange, compare_alerts, is_snoozed
from finops_pipeline.application.alert_evaluation import (
    evaluate_rules,
    with_failed_channels,
    with_failed_steps,
)
from finops_pipeline.application.alert_outbox import (
    Batch,
    messages_about,
    record_outcomes,
    send_batch,
    send_over,
    take_out,
)
from finops_pipeline.application.alert_texts import compose_test
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import RegistryError, Unknown, did_you_mean
from finops_pipeline.lake.ledger_copy import keep_copy
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.alert_records import (
    SENDING,
    WAITING,
    AlertDelivery,
    AlertMessage,
    AlertRecord,
    forget_old_messages,
    read_alert_deliveries,
    read_alerts,
    read_messages,
    record_alerts,
    record_messages,
    snoozed,
)
from finops_pipeline.tenants.alert_channels import Severity
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Tenant

_KEPT = timedelta(days=400)
_URGENCY = [severity.value for severity in Severity]


@dataclass(frozen=True)
class AlertRun:
    """What a run found: changes that people are told of, open alerts, what became of messages."""

    changes: tuple[AlertChange, ...]
    open_alerts: tuple[AlertRecord, ...]
    deliveries: tuple[AlertDelivery, ...]

    @property
    def failures(self) -> tuple[AlertDelivery, ...]:
        """The deliveries that failed (their messages wait for a later run) or reached only some."""
        return tuple(delivery for delivery in self.deliveries if delivery.outcome != "sent")


def deliver_alerts(
    installation: Installation, tenant: str, steps: Sequence[Step] | None = None
) -> AlertRun:
    """Run a tenant's rules, update the state of its alerts, and send what is due.

    A channel that fails is in the result and in the history; its messages wait for a later run.

    Args:
        steps: the steps of a run that has just ended, of which those that failed become alerts;
            None: there was no run.

    Raises:
        Unknown: there is no such tenant.
        RegistryError: it is disabled or removed.
        TenantBusy: another process is writing this tenant.
    """
    declared = installation.registry.tenant(tenant)
    require_active("tenant", declared.name, declared)
    with installation.writing(declared.name) as session:
        changes, batches = _update(session, steps)
        declared = session.tenant
        alerts = read_alerts(session.writer.ledger)
    deliveries = []
    for number, batch in enumerate(batches, 1):
        delivery = send_batch(installation, declared, batch)
        rest = [message for later in batches[number:] for message in later.messages]
        record_deliveries(installation, declared.name, [(delivery, batch.messages)], rest)
        deliveries.append(delivery)
    return AlertRun(
        tuple(change for change in changes if change.event is not None),
        tuple(_by_urgency(alert for alert in alerts if alert.is_open)),
        tuple(deliveries),
    )


def _update(
    session: TenantSession, steps: Sequence[Step] | None
) -> tuple[list[AlertChange], list[Batch]]:
    """Run the rules, record what has changed, and take out what is to be sent."""
    tenant, ledger, now = session.tenant, session.writer.ledger, clock.now()
    deliveries = read_alert_deliveries(ledger)
    evaluation = evaluate_rules(session.installation, tenant)
    evaluation = with_failed_steps(evaluation, tenant.name, steps)
    evaluation = with_failed_channels(evaluation, tenant, deliveries)
    changes = compare_alerts(read_alerts(ledger), evaluation.results, evaluation.present_rules, now)
    at = now.isoformat(timespec="seconds")
    messages = messages_about(changes, tenant.alerts.channels, at)
    ledger.write(
        record_alerts([change.alert for change in changes]),
        record_messages(messages),
        forget_old_messages((now - _KEPT).isoformat(timespec="seconds")),
    )
    batches = take_out(ledger, tenant, now)
    if messages or batches:
        keep_copy(session.writer.folder, ledger)
    return changes, batches


def record_deliveries(
    installation: Installation,
    tenant: str,
    outcomes: Sequence[tuple[AlertDelivery, Sequence[AlertMessage]]],
    rest: Sequence[AlertMessage] = (),
) -> None:
    """Record what became of deliveries in the tenant's ledger.

    Args:
        rest: messages that this process will send next, so that no other one does meanwhile.

    Raises:
        TenantBusy: another process is writing this tenant.
    """
    with installation.writing(tenant) as session:
        record_outcomes(session.writer.ledger, outcomes, rest)
        keep_copy(session.writer.folder, session.writer.ledger)


@dataclass(frozen=True)
class Snooze:
    """Until when nothing is sent about an alert, and why; None: until now."""

    until: datetime | None
    reason: str = ""


@dataclass(frozen=True)
class AlertHistory:
    """What was sent to a tenant's channels, the oldest first, and what waits to be sent."""

    deliveries: tuple[AlertDelivery, ...]
    waiting: tuple[AlertMessage, ...]


def list_alerts(
    installation: Installation, tenant: str, has_recovered: bool = False
) -> list[AlertRecord]:
    """List the open alerts of a tenant as of the last run, the most urgent first.

    Args:
        has_recovered: whether to list those that have recovered, too.

    Raises:
        Unknown: there is no such tenant.
    """
    name = installation.registry.tenant(tenant).name
    alerts = read_alerts(open_ledger(installation.folder(name)))
    return _by_urgency(alert for alert in alerts if has_recovered or alert.is_open)


def read_history(installation: Installation, tenant: str) -> AlertHistory:
    """Read what became of each delivery of messages.

    Raises:
        Unknown: there is no such tenant.
    """
    name = installation.registry.tenant(tenant).name
    ledger = open_ledger(installation.folder(name))
    waiting = read_messages(ledger, (WAITING, SENDING))
    return AlertHistory(tuple(read_alert_deliveries(ledger)), tuple(waiting))


def snooze_alert(
    installation: Installation, tenant: str, alert_id: str, snooze: Snooze
) -> AlertRecord:
    """Send nothing about an alert before a time, or send messages about it again.

    An alert whose snooze is ended is sent by the next run if it is open then, because it may have
    opened or got worse meanwhile.

    Raises:
        Unknown: there is no such tenant or alert.
        RegistryError: the time has passed already.
        TenantBusy: another process is writing this tenant.
    """
    name = installation.registry.tenant(tenant).name
    until, now = snooze.until, clock.now()
    if until is not None and until <= now:
        raise RegistryError(f"{until:%Y-%m-%d %H:%M} UTC has passed already", "a later time")
    with installation.writing(name) as session:
        ledger = session.writer.ledger
        alert = _find(name, alert_id, read_alerts(ledger))
        if until is None and not is_snoozed(alert, now.isoformat(timespec="seconds")):
            return alert
        text = (until or now).isoformat(timespec="seconds")
        changed = snoozed(alert, text, snooze.reason.strip())
        ledger.write(record_alerts([changed]))
        keep_copy(session.writer.folder, ledger)
    return changed


def _find(tenant: str, alert_id: str, alerts: Sequence[AlertRecord]) -> AlertRecord:
    for alert in alerts:
        if alert.alert_id == alert_id:
            return alert
    close = did_you_mean(alert_id, [alert.alert_id for alert in alerts])
    raise Unknown(
        f"tenant {tenant} has no alert {alert_id}",
        "the id of an alert",
        f"{close}List them: finops alerts list {tenant}",
    )


def try_channels(installation: Installation, tenant: str, name: str = "") -> list[AlertDelivery]:
    """Send a test message over a channel of a tenant, or over all of them.

    Raises:
        Unknown: there is no such tenant or channel.
        RegistryError: it has no channels.
        TenantBusy: another process is writing this tenant.
    """
    declared = installation.registry.tenant(tenant)
    channels = [c for c in declared.alerts.channels if name in ("", c.name)]
    if not channels:
        raise _no_channel(declared, name)
    results = [
        send_over(installation, channel, compose_test(declared, channel.name))
        for channel in channels
    ]
    record_deliveries(installation, declared.name, [(result, ()) for result in results])
    return results


def _no_channel(tenant: Tenant, name: str) -> RegistryError:
    names = [channel.name for channel in tenant.alerts.channels]
    if name and names:
        return Unknown(
            f"tenant {tenant.name} has no channel {name}",
            f"one of: {', '.join(names)}",
            did_you_mean(name, names).strip(),
        )
    return RegistryError(
        f"tenant {tenant.name} has no channels",
        "channels in the section alerts of its entry in tenants.yaml",
        "Declare one, and apply the file: finops apply tenants.yaml",
    )


def _by_urgency(alerts: Iterable[AlertRecord]) -> list[AlertRecord]:
    return sorted(
        alerts,
        key=lambda a: (not a.is_open, _URGENCY.index(a.severity), a.rule, a.alert_key),
    )
