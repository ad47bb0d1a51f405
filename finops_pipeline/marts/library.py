"""The marts and checks that are there: plain .sql files with a head, read and ordered.

Put here: reading heads, the order of marts. Keep out: running them (build.py). No templating:
the text of a file is what runs, here and in an analyst's hands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from finops_pipeline.contracts.tables import MARTS

_HERE = resources.files("finops_pipeline.marts")
_HEAD = re.compile(r"^-- ([a-z ]+|[a-z_]+): (.*(?:\n--  .*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Mart:
    """An aggregated table: its name, its query, and how it is cut for refreshing."""

    name: str
    sql: str
    by_month: bool
    reads: frozenset[str]


@dataclass(frozen=True)
class Check:
    """A query whose rows are failures. `refuses`: they stop publication; else they are told."""

    name: str
    sql: str
    meaning: str
    refuses: bool


def head(sql: str) -> dict[str, str]:
    """The head of a .sql file: key -> text (`grain`, `money`, `check`, …)."""
    return {key: " ".join(value.replace("--", " ").split()) for key, value in _HEAD.findall(sql)}


@cache
def marts() -> tuple[Mart, ...]:
    """All marts, each after the marts it reads."""
    waiting = []
    for name in sorted(MARTS):
        sql = (_HERE / "sql" / f"{name}.sql").read_text(encoding="utf-8")
        reads = frozenset(other for other in MARTS if _reads(sql, other))
        by_month = head(sql)["slice"] == "billing_period"
        waiting.append(Mart(name, sql, by_month, reads))
    ordered: list[Mart] = []
    while waiting:
        ready = [m for m in waiting if m.reads <= {done.name for done in ordered}]
        if not ready:
            raise ValueError(f"marts read each other in a circle: {[m.name for m in waiting]}")
        ordered += ready
        waiting = [m for m in waiting if m not in ready]
    return tuple(ordered)


def _reads(sql: str, table: str) -> bool:
    return re.search(rf"\b(?:from|join)\s+{table}\b", sql) is not None


@cache
def checks() -> tuple[Check, ...]:
    """All checks, by name."""
    found = []
    for file in sorted((_HERE / "checks").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            sql = file.read_text(encoding="utf-8")
            name = file.name.removesuffix(".sql")
            said = head(sql)
            found.append(Check(name, sql, said[name], said["on failure"] == "refuse"))
    return tuple(found)
