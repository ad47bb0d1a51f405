"""Messages about alerts in words.

Put here: what a message about alerts says. Keep out: making words harmless (channels/message.py),
whom it is sent to (alerts.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_pipeline.application.alert_changes import AlertEvent
from finops_pipeline.application.alert_times import TEST
from finops_pipeline.channels.message import Message, Section
from finops_pipeline.errors import counted
from finops_pipeline.ledger.alert_records import AlertMessage
from finops_pipeline.tenants.model import Tenant

_MOST_LINES = 30
_HEADINGS = {
    AlertEvent.OPENED: "New alerts",
    AlertEvent.WORSE: "Alerts that got worse",
    AlertEvent.STILL_OPEN: "Alerts that are still open after their snooze",
    AlertEvent.RECOVERED: "Alerts that have recovered",
}


def compose_alerts(tenant: Tenant, messages: Sequence[AlertMessage], is_digest: bool) -> Message:
    """Compose one message about what has happened to alerts of a tenant."""
    parts = []
    for event, heading in _HEADINGS.items():
        own = [message for message in messages if message.event == event]
        if own:
            parts.append(Section(heading, _lines(tenant.name, own)))
    recovered = sum(message.event == AlertEvent.RECOVERED for message in messages)
    words = []
    if len(messages) > recovered:
        words.append(counted(len(messages) - recovered, "alert"))
    if recovered:
        words.append(f"{recovered} recovered")
    digest = "digest: " if is_digest else ""
    return Message(
        tenant.name,
        f"{name_tenant(tenant)}: {digest}{', '.join(words)}",
        tuple(parts),
        {
            "kind": "digest" if is_digest else "alerts",
            "alerts": [_facts(message) for message in messages],
        },
    )


def compose_test(tenant: Tenant, channel: str) -> Message:
    """Compose a message that shows that a channel works."""
    lines = (f"Channel {channel} of tenant {tenant.name} works. Nothing has happened.",)
    title = f"{name_tenant(tenant)}: test of channel {channel}"
    return Message(tenant.name, title, (Section("Test", lines),), {"kind": TEST})


def name_tenant(tenant: Tenant) -> str:
    """Return how messages call a tenant."""
    is_named = tenant.display_name and tenant.display_name != tenant.name
    return f"{tenant.display_name} ({tenant.name})" if is_named else tenant.name


def _lines(tenant: str, messages: Sequence[AlertMessage]) -> list[str]:
    lines = []
    for message in messages[:_MOST_LINES]:
        cure = "" if message.event == AlertEvent.RECOVERED else f" What to do: {message.cure}"
        lines.append(f"{message.severity}: {message.summary}{cure} [{message.alert_id}]")
    more = len(messages) - _MOST_LINES
    if more > 0:
        lines.append(f"and {more} more: finops alerts list {tenant}")
    return lines


def _facts(message: AlertMessage) -> dict[str, str]:
    names = ("alert_id", "event", "severity", "subject", "summary", "cure", "created_at")
    return {name: getattr(message, name) for name in names}
