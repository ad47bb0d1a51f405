"""How alerts change from one run of the rules to the next, and what people have to know of it.

Put here: comparing what rules find now with what is recorded. Keep out: running rules
(alert_evaluation.py), recording and sending (alerts.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from finops_pipeline.ledger.alert_records import OPEN, RECOVERED, AlertRecord
from finops_pipeline.marts.alert_findings import FoundAlert, RuleResults
from finops_pipeline.tenants.alert_channels import Severity

_URGENCY = [severity.value for severity in Severity]


class AlertEvent(StrEnum):
    """What people are told about an alert."""

    OPENED = "opened"
    WORSE = "worse"
    STILL_OPEN = "still open"
    """Its snooze is over."""
    RECOVERED = "recovered"


@dataclass(frozen=True)
class AlertChange:
    """An alert as it is now, and what people are told of it; None: nothing."""

    alert: AlertRecord
    event: AlertEvent | None = None


def alert_id_of(rule: str, key: str) -> str:
    """Return the id of an alert, which is the same in every run and installation."""
    return hashlib.sha256(f"{rule}\n{key}".encode()).hexdigest()[:12]


def compare_alerts(
    stored: Iterable[AlertRecord],
    results: RuleResults,
    present_rules: Collection[str] | None,
    now: datetime,
) -> list[AlertChange]:
    """Compare recorded alerts with what rules find now.

    Args:
        present_rules: the rules that exist and are enabled, whether they could be run or not;
            None: not known.
    """
    by_id = {alert.alert_id: alert for alert in stored}
    at = now.isoformat(timespec="seconds")
    found = {alert_id_of(alert.rule, alert.key): alert for alert in results.alerts}
    changes = [_update(by_id.get(key), key, alert, at) for key, alert in found.items()]
    for key, alert in by_id.items():
        if not alert.is_open or key in found:
            continue
        recovered = replace(alert, state=RECOVERED, recovered_at=at)
        if alert.rule in results.judged:
            event = None if is_snoozed(alert, at) else AlertEvent.RECOVERED
            changes.append(AlertChange(recovered, event))
        elif present_rules is not None and alert.rule not in present_rules:
            changes.append(AlertChange(recovered))  # its rule is gone or disabled: not cured
    return changes


def is_snoozed(alert: AlertRecord, at: str) -> bool:
    """Return whether nothing is sent about an alert at a time (UTC, ISO)."""
    return bool(alert.snoozed_until and alert.snoozed_until > at)


def _update(before: AlertRecord | None, key: str, found: FoundAlert, at: str) -> AlertChange:
    alert = AlertRecord(
        alert_id=key,
        rule=found.rule,
        alert_key=found.key,
        severity=found.severity.value,
        subject=found.subject,
        period=found.period,
        summary=found.summary,
        value=found.value,
        threshold=found.threshold,
        unit=found.unit,
        cure=found.cure,
        state=OPEN,
        opened_at=before.opened_at if before and before.is_open else at,
        seen_at=at,
    )
    if before is None:
        return AlertChange(alert, AlertEvent.OPENED)
    if is_snoozed(before, at):
        until, reason = before.snoozed_until, before.snooze_reason
        return AlertChange(replace(alert, snoozed_until=until, snooze_reason=reason))
    if not before.is_open:
        return AlertChange(alert, AlertEvent.OPENED)
    if before.snoozed_until:
        return AlertChange(alert, AlertEvent.STILL_OPEN)
    is_worse = _URGENCY.index(alert.severity) < _URGENCY.index(before.severity)
    return AlertChange(alert, AlertEvent.WORSE if is_worse else None)
