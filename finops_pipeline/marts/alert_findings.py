"""What the rules of alerts find in a tenant's file.

Put here: running each rule on its own, within limits, and checking its rows. Keep out: reading
rules (alert_rules_library.py), what becomes of an alert (application/alert_changes.py).

A rule that cannot be run is itself an alert, and says nothing about the alerts it found before.

Reads: <tenant>.duckdb
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.column import TEXT, Column
from finops_pipeline.contracts.tables import DATA_STATUS
from finops_pipeline.errors import QueryStopped, one_line
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, fetch_dicts
from finops_pipeline.lake.rule_reading import put_table
from finops_pipeline.marts.alert_rules_library import ALERT_COLUMNS, AlertRule, UnreadRule
from finops_pipeline.tenants.alert_channels import Severity
from finops_pipeline.tenants.alert_settings import RuleChoice

_MOST_ALERTS, _LONGEST_TEXT = 200, 600
_COMMENT = re.compile(r"--[^\n]*")
_PARAMETER = re.compile(r"\$([a-z_]+)")
_FAULTS = (DuckDBError, QueryStopped, ValueError, TypeError, ArithmeticError)
"""What a rule fails with, among it values that Python cannot represent or compare."""
EXPECTED_SOURCES = "expected_sources"


@dataclass(frozen=True)
class FoundAlert:
    """An alert as a rule found it; `key` tells it from others of the rule, run after run."""

    rule: str
    key: str
    severity: Severity
    subject: str
    period: str
    summary: str
    value: Decimal | None
    threshold: Decimal | None
    unit: str
    cure: str


@dataclass(frozen=True)
class RuleResults:
    """What was found, and by which rules that could be run."""

    alerts: tuple[FoundAlert, ...]
    judged: frozenset[str]


@dataclass(frozen=True)
class RuleInputs:
    """What rules know besides the tenant's file.

    `statuses`: rows of data_status as the ledger has them now. `sources`: names of the sources
    whose deliveries are expected. `choices`: what the tenant changes about rules.
    """

    day: date
    statuses: Sequence[Any]
    sources: Sequence[str]
    choices: Mapping[str, RuleChoice]


def run_alert_rules(
    connection: Connection, rules: Iterable[AlertRule], inputs: RuleInputs, limits: Limits
) -> RuleResults:
    """Run rules one by one; what fails is an alert and stops no other."""
    rows = [tuple(asdict(status).values()) for status in inputs.statuses]
    put_table(connection, DATA_STATUS.name, DATA_STATUS.columns, rows)
    names = [(name,) for name in inputs.sources]
    put_table(connection, EXPECTED_SOURCES, (Column("source", TEXT, "Name."),), names)
    alerts: list[FoundAlert] = []
    judged: set[str] = set()
    for rule in rules:
        choice = inputs.choices.get(rule.name, RuleChoice())
        if not choice.enabled:
            continue
        try:
            with limits.holding_for(connection):
                alerts += _run(connection, rule, inputs.day, choice)
            judged.add(rule.name)
        except _FAULTS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            alerts.append(broken_rule(rule.name, reason))
    return RuleResults(tuple(alerts), frozenset(judged))


def _run(
    connection: Connection, rule: AlertRule, day: date, choice: RuleChoice
) -> list[FoundAlert]:
    odd = sorted(choice.values.keys() - rule.values.keys())
    if odd:
        known = ", ".join(rule.values) or "none"
        raise ValueError(f"alerts.rules.{rule.name} sets {odd[0]!r}; expected one of: {known}")
    values: dict[str, Any] = {"day": day.isoformat()}
    values |= {name: str(value) for name, value in {**rule.values, **choice.values}.items()}
    used = set(_PARAMETER.findall(_COMMENT.sub("", rule.sql)))
    sql = rule.sql.rstrip().rstrip(";")
    query = connection.execute(
        f"select {', '.join(ALERT_COLUMNS)} from (\n{sql}\n) limit {_MOST_ALERTS + 1}",
        {name: value for name, value in values.items() if name in used},
    )
    rows = fetch_dicts(query)
    found = {alert.key: alert for alert in (_read_row(rule.name, row) for row in rows)}
    if len(rows) > _MOST_ALERTS:
        raise ValueError(
            f"it found more than {_MOST_ALERTS} alerts; expected a rule that finds few"
        )
    if len(found) < len(rows):
        raise ValueError("two of its alerts have the same alert_key; expected one for each")
    return list(found.values())


def _read_row(rule: str, row: Mapping[str, Any]) -> FoundAlert:
    texts = {name: _text(row[name]) for name in ("alert_key", "subject", "summary", "cure")}
    empty = [name for name, text in texts.items() if not text]
    if empty:
        raise ValueError(f"it gives no {empty[0]} for one of its alerts")
    severity = row["severity"]
    if not isinstance(severity, str) or severity not in set(Severity):
        raise ValueError(
            f"it gives the severity {severity!r:.200}; expected one of: {', '.join(Severity)}"
        )
    return FoundAlert(
        rule=rule,
        key=texts["alert_key"],
        severity=Severity(severity),
        subject=texts["subject"],
        period=_text(row["period"]),
        summary=texts["summary"],
        value=_decimal(row["value"]),
        threshold=_decimal(row["threshold"]),
        unit=_text(row["unit"]),
        cure=texts["cure"],
    )


def _text(value: object) -> str:
    text = "" if value is None else one_line(value).strip()
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _decimal(value: object) -> Decimal | None:
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    raise ValueError(f"it gives a {type(value).__name__} as a number; expected an exact decimal")


def broken_rule(name: str, reason: str) -> FoundAlert:
    """Return the alert about a rule that cannot be run."""
    return FoundAlert(
        "broken_rule",
        name,
        Severity.WARNING,
        f"rule {name}",
        "",
        _text(f"The alert rule {name} could not be run, so its alerts are unknown: {reason}"),
        None,
        None,
        "",
        "Correct its SQL or its head, or disable it in alerts.rules of tenants.yaml.",
    )


def unread_rules(rules: Iterable[UnreadRule]) -> list[FoundAlert]:
    """Return the alerts about files of rules that cannot be used."""
    return [broken_rule(rule.name, rule.reason) for rule in rules]
