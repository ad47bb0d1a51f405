"""How fast a tenant's tables answer and are kept up to date, beside the raw bill, in one run.

Put here: the comparisons for the marts in docs/performance.md, and writing them there. Keep out:
the bills (recurring_bills.py), pieces of a refresh (refresh_marts.py), answers from the raw bill
(raw_answers.sql), timing (measure.py). Run by `make bench-marts`; `--rows 200000` is a quick look.

Compared: every question of docs/cookbook.md, answered by its SQL from the tenant's file and by
other SQL from the CUR 2.0 export itself, in the same process with the same settings, the least of
several runs; a refresh of all marts and of one month with a bare aggregation of the columns of
charges that marts read, in processor seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parent))

import targets
from ingest import Installation
from measure import Cost, machine
from performance_page import Page, print_targets
from recurring_bills import ACCOUNTS, LAST_MONTH, make_months, months_before
from targets import Values

FOLDER = Path(__file__).parent
COOKBOOK = FOLDER.parent / "docs" / "cookbook.md"
PROJECTS = ("prod", "staging", "dev")
MONTHS = 12
SETTINGS: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "1GB"}
_NUMERIC = re.compile("^(DECIMAL|NUMBER|DOUBLE|BIGINT|INTEGER|HUGEINT)")
Numbers = list[tuple[Decimal, ...]]


@dataclass(frozen=True)
class Answered:
    """A question's seconds from the tenant's file and from the raw bill, and what was compared."""

    question: str
    mart: float
    raw: float | None
    compared: str

    @property
    def ratio(self) -> float | None:
        """How many times faster the tenant's file answers."""
        return self.raw / self.mart if self.raw is not None else None


def questions() -> dict[str, str]:
    """Read the cookbook: question -> SQL."""
    sections = re.split(r"^## ", COOKBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    answers = {}
    for section in sections:
        sql = re.search(r"```sql\n(.*?)```", section, re.DOTALL)
        if sql:
            answers[section.partition("\n")[0]] = sql[1].strip()
    return answers


def raw_answers() -> tuple[str, dict[str, str], dict[str, str]]:
    """Read raw_answers.sql: its view, question -> SQL, question -> why there is no answer."""
    text = (FOLDER / "raw_answers.sql").read_text(encoding="utf-8")
    view, *parts = re.split(r"^-- (?=question: |no answer: )", text, flags=re.MULTILINE)
    sql, without = {}, {}
    for part in parts:
        line, _, body = part.partition("\n")
        kind, _, question = line.partition(": ")
        if kind == "question":
            sql[question] = body.strip().removesuffix(";")
        else:
            without[question] = " ".join(body.replace("--", " ").split())
    return view, sql, without


def declare(work: Path, export: Path) -> Installation:
    """Declare the tenant `bench`: three projects, an environment each, and further accounts."""
    data = work / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    projects = "\n".join(
        f"      - name: {name}\n        environment: {name}\n        accounts: {json.dumps(ids)}"
        for name, ids in _accounts().items()
    )
    (data / "tenants.yaml").write_text(
        "tenants:\n  - name: bench\n    sources:\n      - name: payer\n        format: cur-2.0\n"
        f"        location: {export}\n    projects:\n{projects}\n"
    )
    installation = Installation(data)
    installation.finops("apply", str(data / "tenants.yaml"))
    return installation


def _accounts() -> dict[str, list[str]]:
    numbers = enumerate(PROJECTS)
    return {
        name: [str(100000000000 + i) for i in range(first, ACCOUNTS, 4)] for first, name in numbers
    }


class Answers:
    """Both ways to answer, each on a connection of its own."""

    def __init__(self, warehouse: Path, export: Path) -> None:
        self._marts = duckdb.connect(config=SETTINGS)
        self._marts.execute(f"attach '{warehouse}' as w (read_only); use w")
        self._raw = duckdb.connect(config=SETTINGS)
        self._raw.execute(
            f"create view cur as from read_parquet('{export}/data/*/*.parquet',"
            " hive_partitioning = true, hive_types = {'BILLING_PERIOD': varchar})"
        )
        self._raw.execute(
            "create table claim (account varchar, project varchar, environment varchar)"
        )
        claims = [[i, name, name] for name, ids in _accounts().items() for i in ids]
        self._raw.executemany("insert into claim values (?, ?, ?)", claims)
        view, self._sql, self._without = raw_answers()
        self._raw.execute(view)

    def compare(self, question: str, sql: str) -> Answered:
        """Measure both answers to a question and compare their numbers."""
        mart, names, rows = _least(self._marts, sql, 15)
        if question not in self._sql:
            reason = self._without.get(question, "Nobody has written the answer from the raw bill.")
            return Answered(question, mart, None, reason)
        raw, raw_names, raw_rows = _least(self._raw, self._sql[question], 3)
        both = [name for name in names if name and name in raw_names]
        own_numbers = _numbers(rows, [names.index(name) for name in both])
        other_numbers = _numbers(raw_rows, [raw_names.index(name) for name in both])
        compared = _difference(own_numbers, other_numbers) or f"{len(own_numbers)} rows agree"
        return Answered(question, mart, raw, compared)


def _least(
    connection: duckdb.DuckDBPyConnection, sql: str, times: int
) -> tuple[float, list[str], list[tuple[Any, ...]]]:
    """Run a query once to warm up and several times more.

    Returns:
        the least seconds, the names of the answer's columns ('' for those that are no numbers),
        its rows.
    """
    seconds = []
    rows: list[tuple[Any, ...]] = []
    for _ in range(times + 1):
        start = time.perf_counter()
        rows = connection.execute(sql).fetchall()
        seconds.append(time.perf_counter() - start)
    columns = connection.description or []
    names = [name if _NUMERIC.match(str(kind)) else "" for name, kind, *_ in columns]
    return min(seconds[1:]), names, rows


def _numbers(rows: list[tuple[Any, ...]], positions: list[int]) -> Numbers:
    """Return the numbers of an answer's columns, in cents, in order of size."""
    cent = Decimal("0.01")
    numbers = [tuple(Decimal(str(row[p] or 0)).quantize(cent) for p in positions) for row in rows]
    return sorted(numbers)


def _difference(own_numbers: Numbers, other_numbers: Numbers) -> str:
    """Describe how two answers differ; a cent is left for the doubles of the raw bill."""
    if len(own_numbers) != len(other_numbers):
        return f"DIFFERENT: {len(own_numbers)} rows and {len(other_numbers)}"
    for own, other in zip(own_numbers, other_numbers, strict=True):
        if len(own) != len(other) or any(
            abs(a - b) > Decimal("0.011") for a, b in zip(own, other, strict=True)
        ):
            return f"DIFFERENT: {own} and {other}"
    return ""


def run_piece(data: Path, piece: str, times: int) -> dict[str, Any]:
    """Run a piece of a refresh several times; return that with the least processor seconds.

    The result has `cpu` and `wall` seconds by part, `peak` in MiB, `bytes` of the file.
    """
    results = [_run_piece(data, piece) for _ in range(times)]
    return min(results, key=lambda result: sum(result["cpu"].values()))


_PIECE = """
import json, resource, subprocess, sys
print(subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def _run_piece(data: Path, piece: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _PIECE, sys.executable]
    command += [str(FOLDER / "refresh_marts.py"), str(data), piece]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{piece}: {done.stderr[-800:]}")
    printed, _, peak = done.stdout.strip().rpartition("\n")
    result = json.loads(printed)
    parts = result["parts"]
    cpu, wall = ({name: pair[n] for name, pair in parts.items()} for n in (0, 1))
    return {"cpu": cpu, "wall": wall, "peak": float(peak), "bytes": result["bytes"]}


def compare_answers(page: Page, work: Path) -> Values:
    """Measure every question of the cookbook; returns the least ratio."""
    warehouse = work / "data" / "lake" / "tenant=bench" / "bench.duckdb"
    answers = Answers(warehouse, work / "export")
    page.say("| question | from the tables, ms | from the raw bill, ms | ratio | numbers |")
    page.say("|---|---|---|---|---|")
    ratios = []
    for question, sql in questions().items():
        answer = answers.compare(question, sql)
        raw = "" if answer.raw is None else f"{answer.raw * 1000:,.0f}"
        ratio = "" if answer.ratio is None else f"{answer.ratio:,.0f} x"
        ratios += [] if answer.ratio is None else [answer.ratio]
        page.say(f"| {question} | {answer.mart * 1000:.1f} | {raw} | {ratio} | {answer.compared} |")
    reached = sum(ratio >= targets.ANSWERS.most for ratio in ratios)
    most = targets.ANSWERS.most
    page.say(f"\n{reached} of {len(ratios)} answers are at least {most:.0f} times faster.")
    return {targets.ANSWERS: min(ratios)}


def compare_refresh(page: Page, data: Path, months: list[str], times: int) -> Values:
    """Measure a full refresh, that of one month, and the bare aggregation."""
    scanned = run_piece(data, "scan", times)
    every = run_piece(data, "all", times)
    month = run_piece(data, months[len(months) // 2], times)
    page.say("\n| what | CPU s | wall s | peak MiB | against the aggregation |")
    page.say("|---|---|---|---|---|")
    base = scanned["cpu"]["scan"]
    rows = [("one bare aggregation of the columns that marts read", scanned, "scan", base)]
    for name, result in (("all months", every), ("one month", month)):
        unit = base if result is every else base / len(months)
        # `file` includes the two others
        result["cpu"]["file"] -= result["cpu"]["checks"] + result["cpu"]["marts"]
        result["wall"]["file"] -= result["wall"]["checks"] + result["wall"]["marts"]
        rows.append((f"{name}: all marts", result, "marts", unit))
        rows.append((f"{name}: all checks", result, "checks", unit))
        rows.append((f"{name}: copying the file and writing it to disk", result, "file", unit))
    for label, result, part, unit in rows:
        cpu, wall = result["cpu"][part], result["wall"][part]
        page.say(
            f"| {label} | {cpu:.2f} | {wall:.2f} | {result['peak']:,.0f} | {cpu / unit:.1f} x |"
        )
    page.say(f"\nThe tenant's file has {every['bytes'] / 2**20:,.0f} MiB.")
    return {
        targets.REFRESH: every["cpu"]["marts"] / base,
        targets.MONTH_SHARE: month["cpu"]["marts"] / (every["cpu"]["marts"] / len(months)),
        targets.REFRESH_PEAK: max(every["peak"], month["peak"]),
    }


def ingest(work: Path, rows: int) -> tuple[list[str], Cost]:
    """Make the bills and ingest them from nothing; returns the months and what the ingest took."""
    months = months_before(LAST_MONTH, MONTHS)
    lines = rows // MONTHS
    export = work / "export"
    mark = export / f"{rows}.made"
    if not mark.exists():
        shutil.rmtree(export, ignore_errors=True)
        make_months(export, months, lines)
        mark.touch()
    return months, declare(work, export).finops("ingest", "bench")


def main() -> None:
    """Run all comparisons, print the tables and write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="usage lines of a year")
    parser.add_argument("--folder", type=Path, default=Path("build/bench/marts"))
    parser.add_argument("--times", type=int, default=2, help="runs of each; the least counts")
    parser.add_argument("--again", action="store_true", help="use the tenant of the last run")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    work = options.folder.absolute()
    work.mkdir(parents=True, exist_ok=True)
    page, values = Page("bench-marts"), Values()
    day = datetime.now(UTC).date().isoformat()
    page.say(f"{options.rows:,} usage lines in {MONTHS} months; {day}; {machine()}.\n")
    if options.again:
        months = months_before(LAST_MONTH, MONTHS)
    else:
        months, cost = ingest(work, options.rows)
        page.say(f"`finops ingest` of the year took {cost.wall:,.0f} s, {cost.cpu:,.0f} CPU")
        page.say(f"seconds and {cost.rss:,.0f} MiB.\n")
        values[targets.YEAR_PEAK] = cost.rss
    values |= compare_answers(page, work)
    values |= compare_refresh(page, work / "data", months, options.times)
    print_targets(page, targets.OF_MARTS, values)
    if options.write:
        page.write()


if __name__ == "__main__":
    main()
