"""The targets of speed and memory, and whether a run of the benchmarks reached them.

Put here: what is promised, and printing it beside what was measured. Keep out: measuring
(ingest.py, peers.py, measure.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from measure import say


@dataclass(frozen=True)
class Target:
    """A value that should be at most `most`, or with `is_least` at least, in `unit`."""

    name: str
    most: float
    unit: str
    is_least: bool = False


CSV = Target("csv.gz: finops ingest / DuckDB's bare copy", 1.8, "x")
PARQUET_PEER = Target("CUR 2.0: finops ingest / focus_converter", 1.0, "x")
PARQUET = Target("CUR 2.0: finops ingest / DuckDB's bare copy", 1.7, "x")
CSV_PEAK = Target("csv.gz: peak memory, every size", 1536, "MiB")
PARQUET_PEAK = Target("CUR 2.0: peak memory, every size", 1536, "MiB")
CSV_GROWTH = Target("csv.gz: peak memory, largest size / smallest", 1.2, "x")
PARQUET_GROWTH = Target("CUR 2.0: peak memory, largest size / smallest", 1.2, "x")
MONTHS = Target("a month delivered again: one of 36 / the only one", 1.2, "x")
NOTHING_NEW = Target("finops ingest with nothing new", 1.0, "s")
APPLY = Target("finops apply of all tenants, all new", 20.0, "s")
APPLY_CHANGED = Target("finops apply of all tenants, one changed", 2.0, "s")
TARGETS = (
    CSV, PARQUET_PEER, PARQUET, CSV_PEAK, PARQUET_PEAK, CSV_GROWTH, PARQUET_GROWTH, MONTHS,
    NOTHING_NEW, APPLY, APPLY_CHANGED,
)  # fmt: skip

ANSWERS = Target("a question: the raw bill / the tenant's tables", 50.0, "x", is_least=True)
REFRESH = Target("all marts / one bare aggregation", 4.0, "x")
MONTH_SHARE = Target("marts of one changed month / its share of all", 1.2, "x")
REFRESH_PEAK = Target("peak memory of a refresh", 1536, "MiB")
YEAR_PEAK = Target("peak memory of the ingest of a year", 1536, "MiB")
OF_MARTS = (ANSWERS, REFRESH, MONTH_SHARE, REFRESH_PEAK, YEAR_PEAK)

API_NEW = Target("a question not asked before, 4 clients: 95 % within", 50.0, "ms")
API_AGAIN = Target("a question asked again, 1 client: 95 % within", 10.0, "ms")
OF_API = (API_NEW, API_AGAIN)

Values = dict[Target, float]
"""The measured value of each target that a run measured."""


def print_targets(values: Values) -> None:
    """Print every target with its value, and whether it was reached."""
    say("\n### Targets\n")
    say(f"| {'target':<52} | {'at most':>10} | {'measured':>10} | {'result':<12} |")
    say(f"|{'-' * 54}|{'-' * 12}|{'-' * 12}|{'-' * 14}|")
    for target in TARGETS:
        value = values.get(target)
        result = "not measured" if value is None else verdict(target, value)
        shown = "" if value is None else _show(value, target.unit)
        most = _show(target.most, target.unit)
        say(f"| {target.name:<52} | {most:>10} | {shown:>10} | {result:<12} |")


def verdict(target: Target, value: float) -> str:
    """Return whether a value reaches a target."""
    is_reached = value >= target.most if target.is_least else value <= target.most
    return "reached" if is_reached else "MISSED"


def list_targets(of: Iterable[Target], values: Values) -> list[Target]:
    """List those targets that a run measured."""
    return [target for target in of if target in values]


def _show(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
