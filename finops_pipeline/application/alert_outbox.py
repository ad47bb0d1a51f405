"""What waits to be sent to a tenant's channels: recording it, taking it out, and what became of it.

Put here: the outbox in the tenant's ledger, and sending one message from it. Keep out: which alerts
there are (alerts.py), the channels themselves (channels).

What is taken out is marked before it is sent. If the process ends meanwhile, it is sent again
later: rather twice than never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from finops_pipeline import clock
from finops_pipeline.application.alert_changes import AlertChange
from finops_pipeline.application.alert_texts import compose_alerts
from finops_pipeline.application.alert_times import (
    CLAIM,
    FAILED,
    PARTIAL,
    SENT,
    TAKEN,
    due_messages,
    is_paused,
    parse_time,
)
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.path_free_text import without_folders
from finops_pipeline.channels.message import Message
from finops_pipeline.channels.sending import send
from finops_pipeline.ledger.alert_records import (
    DROPPED,
    SENDING,
    WAITING,
    AlertDelivery,
    AlertMessage,
    change_messages,
    read_alert_deliveries,
    read_messages,
    record_alert_delivery,
)
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.tenants.alert_channels import Channel, Severity
from finops_pipeline.tenants.model import Tenant

_LONGEST_WAIT = timedelta(days=30)


@dataclass(frozen=True)
class Batch:
    """What a channel is sent at once."""

    channel: Channel
    messages: tuple[AlertMessage, ...]


def messages_about(
    changes: Iterable[AlertChange], channels: Iterable[Channel], at: str
) -> list[AlertMessage]:
    """Return what each channel has to say about changes of alerts."""
    every = list(channels)
    return [
        AlertMessage(
            alert_id=change.alert.alert_id,
            event=change.event.value,
            channel=channel.name,
            severity=change.alert.severity,
            subject=change.alert.subject,
            summary=without_folders(change.alert.summary),  # it leaves this machine
            cure=without_folders(change.alert.cure),
            created_at=at,
            state=WAITING,
            changed_at=at,
        )
        for change in changes
        for channel in every
        if change.event is not None
        and Severity(change.alert.severity) in channel.severities
        and not _is_about(change, channel)
    ]


def _is_about(change: AlertChange, channel: Channel) -> bool:
    """Whether an alert says that this channel does not work."""
    return (change.alert.rule, change.alert.alert_key) == ("undelivered_messages", channel.name)


def take_out(ledger: Ledger, tenant: Tenant, now: datetime) -> list[Batch]:
    """Mark and return what is to be sent now; drop what no channel waits for any more."""
    at = now.isoformat(timespec="seconds")
    waiting = read_messages(ledger, (WAITING, SENDING))
    names = {channel.name for channel in tenant.alerts.channels}
    over = [
        message
        for message in waiting
        if message.channel not in names or parse_time(message.created_at) < now - _LONGEST_WAIT
    ]
    if over:
        ledger.write(change_messages(over, DROPPED, at))
    free = [
        message
        for message in waiting
        if message not in over
        and (message.state == WAITING or parse_time(message.changed_at) < now - CLAIM)
    ]
    deliveries = read_alert_deliveries(ledger)
    batches = [
        Batch(channel, tuple(due_messages(channel, free, tenant.alerts.zone, now)))
        for channel in tenant.alerts.channels
        if not is_paused(channel.name, deliveries, now)
    ]
    batches = [batch for batch in batches if batch.messages]
    taken = [message for batch in batches for message in batch.messages]
    if taken:
        ledger.write(change_messages(taken, SENDING, at))
    return batches


def send_batch(installation: Installation, tenant: Tenant, batch: Batch) -> AlertDelivery:
    """Send what was taken out; return what became of it."""
    is_digest = batch.channel.digest is not None
    return send_over(installation, batch.channel, compose_alerts(tenant, batch.messages, is_digest))


def send_over(installation: Installation, channel: Channel, message: Message) -> AlertDelivery:
    """Send a message over a channel; return what became of it."""
    result = send(installation.settings, message.tenant, channel, message)
    at = clock.now().isoformat(timespec="seconds")
    outcome = SENT if result.is_sent else PARTIAL if result.is_partial else FAILED
    count = max(1, len(message.facts.get("alerts", ())))
    kind = str(message.facts["kind"])
    return AlertDelivery(channel.name, kind, at, count, result.attempts, outcome, result.reason)


def record_outcomes(
    ledger: Ledger,
    outcomes: Sequence[tuple[AlertDelivery, Sequence[AlertMessage]]],
    rest: Sequence[AlertMessage] = (),
) -> None:
    """Record what became of deliveries; messages that were not taken wait again.

    Args:
        rest: messages that are sent next, and stay marked from now on.
    """
    writes = []
    for delivery, messages in outcomes:
        writes.append(record_alert_delivery(delivery))
        state = SENT if delivery.outcome in TAKEN else WAITING
        if messages:
            writes.append(change_messages(messages, state, delivery.sent_at))
    if rest:
        writes.append(change_messages(rest, SENDING, clock.now().isoformat(timespec="seconds")))
    if writes:
        ledger.write(*writes)
