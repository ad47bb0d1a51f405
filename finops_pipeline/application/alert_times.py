"""When a channel is sent what waits for it: digests, quiet hours, pauses after failures, reports.

Put here: these rules, from times alone. Keep out: declaring them (tenants/alert_channels.py),
sending (alerts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from finops_pipeline.ledger.alert_records import SENDING, AlertDelivery, AlertMessage
from finops_pipeline.tenants.alert_channels import Channel, Severity
from finops_pipeline.tenants.alert_settings import WEEKDAYS, ReportPeriod, ReportSchedule

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
SENT, PARTIAL, FAILED = "sent", "partial", "failed"
TAKEN = (SENT, PARTIAL)
"""Outcomes after which nothing is sent again: each recipient, or all but some, has the message."""
REPORT, TEST = "report", "test"
CLAIM = timedelta(minutes=15)
"""How long a process may take to send; after that another one tries."""


def due_messages(
    channel: Channel, waiting: Iterable[AlertMessage], zone: ZoneInfo, now: datetime
) -> list[AlertMessage]:
    """Return the messages that a channel is to be sent now."""
    own = [message for message in waiting if message.channel == channel.name]
    if channel.digest is not None:
        last = last_time(channel.digest, zone, now)
        return [message for message in own if parse_time(message.created_at) <= last]
    local = now.astimezone(zone).time()
    if channel.quiet_hours is not None and channel.quiet_hours.hold(local):
        return [message for message in own if message.severity == Severity.CRITICAL]
    return own


def last_time(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the newest moment, not after now, at which a clock in a time zone showed a time."""
    local = now.astimezone(zone)
    moment = datetime.combine(local.date(), at, zone)
    if moment.astimezone(UTC) > now:
        moment = datetime.combine(local.date() - timedelta(days=1), at, zone)
    return moment.astimezone(UTC)


def is_paused(channel: str, deliveries: Sequence[AlertDelivery], now: datetime) -> bool:
    """Return whether a channel failed so lately that it is left alone for now.

    The pause after the first failure is a minute; it doubles with each further one.
    """
    failures = count_failures(channel, deliveries)
    if not failures:
        return False
    newest = next(d for d in reversed(deliveries) if d.channel == channel and _has_failed(d))
    pause = min(_FIRST_PAUSE * 2 ** min(failures - 1, 20), _LONGEST_PAUSE)
    return bool(now < parse_time(newest.sent_at) + pause)


def count_failures(channel: str, deliveries: Sequence[AlertDelivery]) -> int:
    """Return how many deliveries over a channel have failed since the last that did not."""
    failures = 0
    for delivery in reversed(deliveries):
        if delivery.channel != channel:
            continue
        if delivery.outcome in TAKEN:
            break
        failures += _has_failed(delivery)
    return failures


def _has_failed(delivery: AlertDelivery) -> bool:
    return delivery.outcome == FAILED and delivery.kind != TEST


def is_being_sent(delivery: AlertDelivery, now: datetime) -> bool:
    """Return whether a process has begun a delivery and may still be at it."""
    return delivery.outcome == SENDING and parse_time(delivery.sent_at) >= now - CLAIM


def due_report_channels(
    schedule: ReportSchedule, deliveries: Sequence[AlertDelivery], zone: ZoneInfo, now: datetime
) -> list[str]:
    """Return the channels that have not been sent the newest scheduled report yet, nor are now."""
    moment = last_time(schedule.at, zone, now)
    if schedule.every is ReportPeriod.WEEK:
        while WEEKDAYS[moment.astimezone(zone).weekday()] != schedule.weekday:
            moment = last_time(schedule.at, zone, moment - timedelta(minutes=1))
    done = {
        delivery.channel
        for delivery in deliveries
        if delivery.kind == REPORT
        and (
            is_being_sent(delivery, now)
            or (delivery.outcome in TAKEN and parse_time(delivery.sent_at) >= moment)
        )
    }
    return [name for name in schedule.channels if name not in done]


def parse_time(text: str) -> datetime:
    """Read a time of the ledger (UTC)."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
