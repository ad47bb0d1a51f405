"""The marts and checks of the library: plain .sql files with a head.

Put here: reading heads, the classes Mart and Check, the order of marts. Keep out: which slices are
due (due_slices.py), running them (mart_runner.py, results.py), templates: a file's text runs
unchanged, so that analysts can run it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from graphlib import TopologicalSorter
from importlib import resources

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.marts.lookback import Lookback, read_lookback

_FOLDER = resources.files("finops_pipeline.marts")
_HEAD = re.compile(r"^-- ([a-z ]+|[a-z_0-9]+): (.*(?:\n--  .*)*)", re.MULTILINE)


class Severity(StrEnum):
    """The consequence of a failed check: nothing is published, or a warning is."""

    REFUSE = "refuse"
    WARN = "warn"


class SliceKind(StrEnum):
    """What is rebuilt as a unit, as a head states it."""

    PROJECT_MONTH = "project, billing_period"
    MONTH = "billing_period"
    NEWEST = "newest"
    """The whole mart: it covers the newest month and the time that it looks back, nothing older."""


@dataclass(frozen=True)
class Mart:
    """An aggregated table: its name, its query, and which part of its input a slice needs.

    `reads` are the tables that its query reads, as stated in its head; a test verifies them.
    `needs` are those of them without which it has no rows.
    `rows_from`: it has no rows unless one of these has; empty where its head states none.
    `has_days_apart`: its rows of a day need no charges of other days.
    """

    name: str
    sql: str
    slices: SliceKind
    lookback: Lookback
    reads: frozenset[str]
    needs: frozenset[str] = frozenset()
    rows_from: tuple[str, ...] = ()
    has_days_apart: bool = False

    @property
    def reads_marts(self) -> frozenset[str]:
        """The other marts that it reads."""
        return self.reads & MARTS.keys()


@dataclass(frozen=True)
class Check:
    """A query whose rows are failures; `meaning` describes them, `rows_from` is as for a mart."""

    name: str
    sql: str
    meaning: str
    severity: Severity
    reads: frozenset[str]
    rows_from: tuple[str, ...] = ()


def head(sql: str) -> dict[str, str]:
    """Read the head of a .sql file: key -> text (`grain`, `money`, `check`, …)."""
    return {key: " ".join(value.replace("--", " ").split()) for key, value in _HEAD.findall(sql)}


@cache
def marts() -> tuple[Mart, ...]:
    """List all marts, by name."""
    return tuple(find_mart(name) for name in sorted(MARTS))


@cache
def find_mart(name: str) -> Mart:
    """Return the mart of that name."""
    sql = (_FOLDER / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = head(sql)
    slices, lookback = SliceKind(lines["slice"]), read_lookback(lines["lookback"])
    reads = frozenset(lines["reads"].split(", "))
    needs = frozenset(lines["needs"].split(", ")) if "needs" in lines else frozenset[str]()
    days_apart = lines.get("days", "") == "apart"
    return Mart(name, sql, slices, lookback, reads, needs, _read_rows_from(lines), days_apart)


def _read_rows_from(lines: Mapping[str, str]) -> tuple[str, ...]:
    """Read `rows only from`: tables, with or without a condition, separated by semicolons."""
    stated = lines.get("rows only from", "")
    return tuple(part.strip() for part in stated.split(";")) if stated else ()


def in_reading_order(unordered: Iterable[Mart]) -> list[Mart]:
    """Put marts in an order in which each comes after those that its SQL reads.

    What a mart reads is in its head, which a test compares with its SQL.

    Raises:
        graphlib.CycleError: marts read each other in a circle.
    """
    by_name = {mart.name: mart for mart in unordered}
    graph = {name: mart.reads & by_name.keys() for name, mart in by_name.items()}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


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
    reads = frozenset(lines["reads"].split(", "))
    severity = Severity(lines["on failure"])
    return Check(name, sql, lines[name], severity, reads, _read_rows_from(lines))
