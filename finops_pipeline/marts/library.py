"""The marts and checks of the library: plain .sql files with a head, read and put in order.

Put here: reading heads, the classes Mart and Check, the order of marts. Keep out: running them
(build.py, results.py), templates: a file's text runs unchanged, so that analysts can run it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from graphlib import TopologicalSorter
from importlib import resources

from finops_pipeline.contracts.tables import MARTS

_FOLDER = resources.files("finops_pipeline.marts")
_HEAD = re.compile(r"^-- ([a-z ]+|[a-z_0-9]+): (.*(?:\n--  .*)*)", re.MULTILINE)


class Severity(StrEnum):
    """The consequence of a failed check: nothing is published, or a warning is."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True)
class Mart:
    """An aggregated table: its name, its query, and whether its slices are months.

    `reads` are the tables that its query reads, as stated in its head; a test verifies them.
    """

    name: str
    sql: str
    by_month: bool
    reads: frozenset[str]


@dataclass(frozen=True)
class Check:
    """A query whose rows are failures; `meaning` describes such rows."""

    name: str
    sql: str
    meaning: str
    severity: Severity


def head(sql: str) -> dict[str, str]:
    """Read the head of a .sql file: key -> text (`grain`, `money`, `check`, …)."""
    return {key: " ".join(value.replace("--", " ").split()) for key, value in _HEAD.findall(sql)}


@cache
def marts() -> tuple[Mart, ...]:
    """List all marts, each after the marts that it reads.

    Raises:
        graphlib.CycleError: marts read each other in a circle.
    """
    by_name = {name: _read_mart(name) for name in sorted(MARTS)}
    order = TopologicalSorter({name: mart.reads & MARTS.keys() for name, mart in by_name.items()})
    return tuple(by_name[name] for name in order.static_order())


def find_mart(name: str) -> Mart:
    """Return the mart of that name."""
    return next(mart for mart in marts() if mart.name == name)


def _read_mart(name: str) -> Mart:
    sql = (_FOLDER / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = head(sql)
    by_month = lines["slice"] == "billing_period"
    return Mart(name, sql, by_month, frozenset(lines["reads"].split(", ")))


@cache
def allocation_sql(name: str) -> str:
    """Read the SQL of a view or query of allocations."""
    return (_FOLDER / "allocation" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def checks() -> tuple[Check, ...]:
    """List all checks, by name."""
    files = sorted((_FOLDER / "checks").iterdir(), key=lambda file: file.name)
    return tuple(
        _read_check(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def find_check(name: str) -> Check:
    """Return the check of that name."""
    return next(check for check in checks() if check.name == name)


def _read_check(name: str, sql: str) -> Check:
    lines = head(sql)
    return Check(name, sql, lines[name], Severity(lines["on failure"]))
