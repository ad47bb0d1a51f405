"""Alerts of a tenant, the messages about them, and what became of each delivery of messages.

Put here: reading and writing the tables `alerts`, `alert_messages` and `alert_deliveries` of
ledger.sqlite. Keep out: when an alert changes (application/alert_changes.py), sending (channels).

A message is recorded before it is sent and stays until a receiver took it, so that none is lost
when a process ends or a receiver fails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import ALERT_DELIVERIES, ALERT_MESSAGES, ALERTS

OPEN, RECOVERED = "open", "recovered"
WAITING, SENDING, SENT, DROPPED = "waiting", "sending", "sent", "dropped"


@dataclass(frozen=True)
class AlertRecord:
    """An alert: what a rule found last, and since when; times are UTC in ISO format.

    `state`: open or recovered. `snoozed_until`: no message about it is sent before that time.
    """

    alert_id: str
    rule: str
    alert_key: str
    severity: str
    subject: str
    period: str
    summary: str
    value: Decimal | None
    threshold: Decimal | None
    unit: str
    cure: str
    state: str
    opened_at: str
    seen_at: str
    recovered_at: str | None = None
    snoozed_until: str | None = None
    snooze_reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the rule still finds it."""
        return self.state == OPEN


@dataclass(frozen=True)
class AlertMessage:
    """What a channel has to say about an alert; `state`: waiting, sending, sent or dropped."""

    alert_id: str
    event: str
    channel: str
    severity: str
    subject: str
    summary: str
    cure: str
    created_at: str
    state: str
    changed_at: str
    id: int = 0


@dataclass(frozen=True)
class AlertDelivery:
    """An attempt to send a message over a channel; `outcome`: sent, partial, failed or sending."""

    channel: str
    kind: str
    sent_at: str
    messages: int
    attempts: int
    outcome: str
    reason: str
    id: int = 0


def read_alerts(ledger: Ledger) -> list[AlertRecord]:
    """Read all alerts, open and recovered."""
    return [
        AlertRecord(**row | {name: _decimal(row[name]) for name in ("value", "threshold")})
        for row in ledger.rows(ALERTS)
    ]


def read_messages(ledger: Ledger, states: Collection[str]) -> list[AlertMessage]:
    """Read the messages in some states, in the order in which they were made."""
    rows = ledger.rows(ALERT_MESSAGES, ALERT_MESSAGES.c.state.in_(states))
    return sorted((AlertMessage(**row) for row in rows), key=lambda message: message.id)


def read_alert_deliveries(ledger: Ledger) -> list[AlertDelivery]:
    """Read what became of each delivery, the oldest first."""
    return sorted((AlertDelivery(**row) for row in ledger.rows(ALERT_DELIVERIES)),
                  key=lambda delivery: delivery.id)  # fmt: skip


def record_alerts(alerts: Iterable[AlertRecord]) -> Write:
    """Record alerts in place of what was known about them."""
    rows = [
        asdict(alert) | {name: _text(getattr(alert, name)) for name in ("value", "threshold")}
        for alert in alerts
    ]

    def write(db: sa.Connection) -> None:
        for row in rows:
            db.execute(sa.delete(ALERTS).where(ALERTS.c.alert_id == row["alert_id"]))
        if rows:
            db.execute(sa.insert(ALERTS), rows)

    return write


def record_messages(messages: Iterable[AlertMessage]) -> Write:
    """Record new messages."""
    rows = [_without_id(asdict(message)) for message in messages]

    def write(db: sa.Connection) -> None:
        if rows:
            db.execute(sa.insert(ALERT_MESSAGES), rows)

    return write


def change_messages(messages: Iterable[AlertMessage], state: str, at: str) -> Write:
    """Record the new state of messages."""
    ids = [message.id for message in messages]

    def write(db: sa.Connection) -> None:
        is_one = ALERT_MESSAGES.c.id.in_(ids)
        db.execute(sa.update(ALERT_MESSAGES).where(is_one).values(state=state, changed_at=at))

    return write


def record_alert_delivery(delivery: AlertDelivery) -> Write:
    """Record what became of a delivery."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.insert(ALERT_DELIVERIES), _without_id(asdict(delivery)))

    return write


def replace_alert_delivery(begun: AlertDelivery, delivery: AlertDelivery) -> Write:
    """Record what became of a delivery in place of the record that it had begun."""

    def write(db: sa.Connection) -> None:
        is_begun = ALERT_DELIVERIES.c.id == begun.id
        db.execute(sa.update(ALERT_DELIVERIES).where(is_begun), _without_id(asdict(delivery)))

    return write


def forget_old_messages(before: str) -> Write:
    """Remove sent and dropped messages, deliveries and recovered alerts that are old.

    Args:
        before: the time (UTC, ISO) before which they are old.
    """

    def write(db: sa.Connection) -> None:
        is_over = ALERT_MESSAGES.c.state.in_([SENT, DROPPED])
        db.execute(sa.delete(ALERT_MESSAGES).where(is_over, ALERT_MESSAGES.c.changed_at < before))
        db.execute(sa.delete(ALERT_DELIVERIES).where(ALERT_DELIVERIES.c.sent_at < before))
        is_old = (ALERTS.c.state == RECOVERED) & (ALERTS.c.recovered_at < before)
        db.execute(sa.delete(ALERTS).where(is_old))

    return write


def snoozed(alert: AlertRecord, until: str | None, reason: str) -> AlertRecord:
    """Return an alert about which nothing is sent before a time; None: it is no longer snoozed."""
    return replace(alert, snoozed_until=until, snooze_reason=reason)


def _without_id(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "id"}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
