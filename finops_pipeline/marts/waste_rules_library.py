"""The rules of waste: plain .sql files with a head, which run unchanged in a tenant's file.

Put here: the class WasteRule and reading its head strictly. Keep out: running rules
(waste_findings.py), prices (price_list.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from finops_pipeline.marts.library import head

KEYS = frozenset(
    {
        *("rule", "version", "tier", "reads", "window", "meters", "part", "normalised by"),
        *("disproved by", "price source", "effort", "risk"),
    }
)
"""What a head states besides the name and meaning; each is required, and no other is allowed."""

RULE_COLUMNS = (
    *("source", "sub_account_id", "region_id", "service_code", "resource_id", "project"),
    *("billing_currency", "state", "reason", "cure", "cost", "monthly_saving", "price"),
    *("price_source", "confidence", "evidence"),
)
"""The columns that every rule gives."""

_LEVELS = frozenset({"low", "medium", "high"})
_TIERS = frozenset({"A", "B", "C"})


@dataclass(frozen=True)
class WasteRule:
    """One rule.

    `meters`: a pattern of SERVICE_CODE/METER without which it finds nothing in a bill.
    `part`: the part of a resource's cost that it is about, or `all`. `normalised_by`: `days`, or
    the unit in which usage is compared when its savings are verified.
    """

    rule: str
    name: str
    meaning: str
    version: int
    tier: str
    reads: frozenset[str]
    window: str
    meters: re.Pattern[str]
    part: str
    normalised_by: str
    disproof: str
    price_source: str
    effort: str
    risk: str
    sql: str

    def concerns(self, meters: Iterable[str]) -> bool:
        """Return whether a bill with these meters (SERVICE_CODE/METER) may have a finding."""
        return any(map(self.meters.fullmatch, meters))


def read_rule(name: str, sql: str) -> WasteRule:
    """Read a rule from its file.

    Raises:
        ValueError: its head lacks a key, has an unknown one, or a value that is not allowed.
    """
    lines = head(re.split(r"\n(?:--)?\n", sql, maxsplit=1)[0])
    _check(name, lines)
    return WasteRule(
        rule=lines["rule"],
        name=name,
        meaning=lines[name],
        version=int(lines["version"]),
        tier=lines["tier"],
        reads=frozenset(lines["reads"].split(", ")),
        window=lines["window"],
        meters=re.compile(lines["meters"]),
        part=lines["part"],
        normalised_by=lines["normalised by"],
        disproof=lines["disproved by"],
        price_source=lines["price source"],
        effort=lines["effort"],
        risk=lines["risk"],
        sql=sql,
    )


def _check(name: str, lines: Mapping[str, str]) -> None:
    expected = KEYS | {name}
    if lines.keys() != expected:
        odd = ", ".join(sorted(lines.keys() ^ expected))
        raise ValueError(f"the head of rule {name} is not complete or states too much: {odd}")
    if lines["effort"] not in _LEVELS or lines["risk"] not in _LEVELS:
        raise ValueError(f"rule {name}: effort and risk are low, medium or high")
    is_tier = lines["tier"] in _TIERS and lines["rule"].startswith(lines["tier"])
    if not is_tier or not re.fullmatch(r"[A-C]\d\d", lines["rule"]):
        raise ValueError(f"rule {name}: an id is its tier, A to C, and two digits")
    if not lines["version"].isdigit():
        raise ValueError(f"rule {name}: version is {lines['version']!r}; expected a number")


@cache
def waste_rules() -> tuple[WasteRule, ...]:
    """List all rules, by id."""
    folder = resources.files("finops_pipeline.marts") / "waste_rules"
    rules = [
        read_rule(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(rules, key=lambda rule: rule.rule))
