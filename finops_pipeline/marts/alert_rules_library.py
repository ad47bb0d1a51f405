"""Rules of alerts: plain .sql files with a head, whose rows are alerts.

Put here: the class AlertRule, reading its head strictly, and which rules an installation has. Keep
out: running them (alert_findings.py), what becomes of an alert (application/alerts.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path

from finops_pipeline.marts.library import head

KEYS = frozenset({"grain", "money", "reads", "values", "what to do"})
"""What a head states besides the name and meaning; no other key is allowed."""

_REQUIRED = KEYS - {"values"}

ALERT_COLUMNS = (
    *("alert_key", "severity", "subject", "period", "summary"),
    *("value", "threshold", "unit", "cure"),
)
"""The columns that every rule gives, in any order."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,38}[a-z0-9]")
_VALUE = re.compile(r"([a-z_]+) = (\d+(?:\.\d+)?)")
SYSTEM_RULES = ("broken_rule", "failed_run", "unreadable_file", "undelivered_messages")
"""Alerts of finops itself, which no rule may be named after."""


@dataclass(frozen=True)
class AlertRule:
    """One rule: `values` are the numbers that its SQL compares with, by parameter."""

    name: str
    meaning: str
    cure: str
    values: Mapping[str, Decimal]
    sql: str


@dataclass(frozen=True)
class UnreadRule:
    """A file of an installation's own rules that cannot be used, and why."""

    name: str
    reason: str


def read_alert_rule(name: str, sql: str) -> AlertRule:
    """Read a rule from its file.

    Raises:
        ValueError: its head lacks a key, has an unknown one, or a value that is not a number.
    """
    if not _NAME.fullmatch(name) or name in SYSTEM_RULES:
        raise ValueError(f"a rule cannot be named {name}; use a-z, 0-9 and _ for another name")
    lines = head(re.split(r"\n(?:--)?\n", sql, maxsplit=1)[0])
    missing, odd = (_REQUIRED | {name}) - lines.keys(), lines.keys() - (KEYS | {name})
    if missing:
        raise ValueError(f"its head has no line {min(missing)!r}")
    if odd:
        raise ValueError(f"its head has a line {min(odd)!r}, which nothing reads")
    values = _read_values(lines.get("values", ""))
    return AlertRule(name, lines[name], lines["what to do"], values, sql)


def _read_values(stated: str) -> dict[str, Decimal]:
    values = {}
    for part in filter(None, stated.split(", ")):
        match = _VALUE.fullmatch(part)
        if match is None:
            raise ValueError(f"the line 'values' of its head has {part!r}; expected name = number")
        values[match[1]] = Decimal(match[2])
    return values


@cache
def shipped_alert_rules() -> tuple[AlertRule, ...]:
    """List the rules that finops has, by name."""
    folder = resources.files("finops_pipeline.marts") / "alert_rules"
    rules = [
        read_alert_rule(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(rules, key=lambda rule: rule.name))


@dataclass(frozen=True)
class AlertRules:
    """The rules of an installation, and the files of its own that cannot be used.

    `is_complete`: whether the folder of its own rules could be read.
    """

    rules: tuple[AlertRule, ...]
    unread: tuple[UnreadRule, ...] = ()
    is_complete: bool = True

    @property
    def names(self) -> list[str]:
        """The names of all of them, whether they can be used or not."""
        return [*(rule.name for rule in self.rules), *(rule.name for rule in self.unread)]


def list_alert_rules(own_folder: str) -> AlertRules:
    """List the rules of an installation; a folder that cannot be read stops no shipped rule.

    Args:
        own_folder: the setting FINOPS_ALERT_RULES; empty: shipped rules only. A rule there that
            has the name of a shipped one replaces it.
    """
    rules, unread = {rule.name: rule for rule in shipped_alert_rules()}, list[UnreadRule]()
    try:
        files = sorted(Path(own_folder).iterdir()) if own_folder else []
    except OSError as error:
        reason = f"the folder {own_folder} cannot be read ({error.strerror})"
        return AlertRules(tuple(rules.values()), (UnreadRule("FINOPS_ALERT_RULES", reason),), False)
    for file in files:
        if file.suffix != ".sql":
            continue
        try:
            rules[file.stem] = read_alert_rule(file.stem, file.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            unread.append(UnreadRule(file.stem, str(error)))
            rules.pop(file.stem, None)
    return AlertRules(tuple(rules[name] for name in sorted(rules)), tuple(unread))
