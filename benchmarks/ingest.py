"""How fast a bill becomes visible, beside the least possible work and beside peers, in one run.

Put here: the comparisons of docs/performance.md. Keep out: making bills (bills.py), running peers
(peers.py), timing (measure.py), targets (targets.py). Run by `make bench`; `--rows 100000` is a
quick look, `--help` lists the rest.

Compared, each as a whole process: `gzip -dc` of the same bytes; DuckDB copying the same files
to Parquet and nothing else; focus_converter; a conversion with pandas; and `finops ingest` from
nothing to the month visible in the tenant's file, start of the program included. The first of
several sizes is measured several times, and the median counts; the others are measured once, for
their peak memory, and without peers. `--beside PYTHON` names the interpreter of another checkout's
virtual environment; a month delivered again is then also measured with that version.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import targets
from bills import ACCOUNTS, make_bill
from measure import Cost, head, machine, middle, row, run, say
from peers import measure_converter, measure_pandas
from targets import Values, print_targets

MONTH = "2026-09"
COPY = """
import duckdb, sys
c = duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": "false"})
c.execute(f"copy (select * from {sys.argv[1]}) to '{sys.argv[2]}'"
          " (format parquet, compression zstd, compression_level 1, row_group_size 61440)")
"""


@dataclass(frozen=True)
class Installation:
    """A new installation with the tenant `bench`, and the interpreter that runs its `finops`."""

    data: Path
    python: str = sys.executable

    def finops(self, *arguments: str) -> Cost:
        """Run a command to its end."""
        command = [self.python, "-m", "finops_pipeline.cli", *arguments]
        return run(command, {"FINOPS_DATA": str(self.data)})


def declare(data: Path, form: str, location: Path, python: str = sys.executable) -> Installation:
    """Declare a tenant of three projects in a new installation."""
    data.mkdir(parents=True)
    projects = "\n".join(
        f"      - name: {project}\n        accounts: ["
        + ", ".join(f'"{100000000000 + i}"' for i in range(number, ACCOUNTS, 4))
        + "]"
        for number, project in enumerate(("prod", "staging", "dev"))
    )
    (data / "tenants.yaml").write_text(
        f"tenants:\n  - name: bench\n    sources:\n      - name: payer\n        format: {form}\n"
        f"        location: {location}\n    projects:\n{projects}\n"
    )
    installation = Installation(data, python)
    installation.finops("apply", str(data / "tenants.yaml"))
    return installation


def measure_ingest(work: Path, form: str, location: Path) -> Cost:
    """Measure `finops ingest` of one month into a new installation."""
    shutil.rmtree(work / "data", ignore_errors=True)
    return declare(work / "data", form, location).finops("ingest", "bench")


@dataclass
class Comparison:
    """A bill of some size, compared with the least possible work; each is measured `times` times.

    `values` receives what the targets need; those of the first size stay.
    """

    work: Path
    rows: int
    times: int
    has_peers: bool
    values: Values = field(default_factory=dict)

    def copy(self, scan: str) -> Cost:
        """Measure DuckDB's bare copy of a scan to one Parquet file."""
        target = str(self.work / "o.parquet")
        command = [sys.executable, "-c", COPY, scan, target]
        return middle(lambda: run(command), self.times)

    def ingest(self, form: str, location: Path) -> Cost:
        """Measure `finops ingest`."""
        return middle(lambda: measure_ingest(self.work, form, location), self.times)


def compare_legacy(comparison: Comparison) -> Cost:
    """Measure and print the legacy CUR table; returns the cost of `finops ingest`."""
    rows, work = comparison.rows, comparison.work
    report = make_bill("legacy-cur", work / f"cur-{rows}" / "report", rows, MONTH)
    files = sorted(report.glob("*/*.csv.gz"))
    size = sum(file.stat().st_size for file in files) / 2**20
    head(f"Legacy CUR csv.gz, {rows:,} rows, {len(files)} files, {size:.0f} MiB compressed")
    unzip = middle(lambda: run(["gzip", "-dc", *map(str, files)]), comparison.times)
    listed = "[" + ", ".join(f"'{file}'" for file in files) + "]"
    copied = comparison.copy(f"read_csv({listed}, all_varchar = true, header = true)")
    row("gzip -dc", unzip, copied)
    row("DuckDB: csv.gz to Parquet", copied, copied)
    if comparison.has_peers and (pandas := measure_pandas(files, work / "peer", comparison.times)):
        row("pandas: csv.gz to FOCUS columns", pandas, copied)
    cost = comparison.ingest("legacy-cur", report)
    row("finops ingest: csv.gz to visible", cost, copied)
    comparison.values.setdefault(targets.CSV, cost.wall / copied.wall)
    return cost


def compare_cur_2(comparison: Comparison) -> Cost:
    """Measure and print the CUR 2.0 table; returns the cost of `finops ingest`."""
    rows, work, values = comparison.rows, comparison.work, comparison.values
    export = make_bill("cur-2.0", work / f"cur2-{rows}" / "export", rows, MONTH)
    files = sorted(export.glob("data/*/*.parquet"))
    size = sum(file.stat().st_size for file in files) / 2**20
    head(f"CUR 2.0 Parquet, {rows:,} rows, {len(files)} files, {size:.0f} MiB")
    listed = "[" + ", ".join(f"'{file}'" for file in files) + "]"
    copied = comparison.copy(f"read_parquet({listed})")
    row("DuckDB: Parquet to Parquet", copied, copied)
    converter = None
    if comparison.has_peers:
        if converter := measure_converter(files, work / "peer", comparison.times):
            row("focus_converter: Parquet to FOCUS, in doubles", converter, copied)
        if pandas := measure_pandas(files, work / "peer", comparison.times):
            row("pandas: Parquet to FOCUS columns, in doubles", pandas, copied)
    cost = comparison.ingest("cur-2.0", export)
    row("finops ingest: Parquet to visible", cost, copied)
    values.setdefault(targets.PARQUET, cost.wall / copied.wall)
    if converter:
        values.setdefault(targets.PARQUET_PEER, cost.wall / converter.wall)
    return cost


def compare_nothing_new(work: Path, times: int) -> float:
    """Measure another ingest of the bill that was ingested last; return its wall time."""
    head("finops ingest with nothing new")
    cost = middle(lambda: Installation(work / "data").finops("ingest", "bench"), times)
    row("finops ingest", cost, cost)
    return cost.wall


def compare_redelivery(work: Path, rows: int, times: int, beside: str) -> float:
    """Measure a month delivered again: alone, as one of 36, and with another version.

    Returns:
        the ratio of the second to the first.
    """
    head(f"A month of {rows:,} rows delivered again: alone, and as one of 36")
    alone = middle(lambda: measure_redelivery(work / "alone", rows, 1), times)
    row("finops ingest, the only month", alone, alone)
    among = middle(lambda: measure_redelivery(work / "36", rows, 36), times)
    row("finops ingest, one month of 36", among, alone)
    if beside:
        other = measure_redelivery(work / "36", rows, 36, beside)
        row("finops ingest of the other version, one month of 36", other, alone)
    return among.wall / alone.wall


def measure_redelivery(folder: Path, rows: int, months: int, python: str = sys.executable) -> Cost:
    """Measure the ingest of a last month with another assembly and one row more."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    report = folder / "report"
    names = [f"{2023 + (9 + n) // 12}-{(9 + n) % 12 + 1:02d}" for n in range(36)][-months:]
    _remove_month(report, names[-1])
    for month in names:
        make_bill("legacy-cur", report, rows, month)
    installation = declare(folder / "data", "legacy-cur", report, python)
    installation.finops("ingest", "bench")
    _remove_month(report, names[-1])
    make_bill("legacy-cur", report, rows + 1, names[-1])
    return installation.finops("ingest", "bench")


def _remove_month(report: Path, month: str) -> None:
    for folder in report.glob(f"{month.replace('-', '')}01-*"):
        shutil.rmtree(folder)


def compare_apply(work: Path, tenants: int, times: int) -> Values:
    """Measure declaring tenants with ten projects each: all, unchanged, and one changed."""
    head(f"finops apply: {tenants:,} tenants with 10 projects each")
    folder = work / "apply"
    declared = folder / "tenants.yaml"
    lines = ["tenants:"]
    for tenant in range(tenants):
        location = f"s3://exports/tenant-{tenant}"
        lines += [
            f"  - name: tenant-{tenant}",
            f"    display_name: Tenant {tenant}",
            "    sources:",
        ]
        lines += [
            f"      - {{name: payer, format: cur-2.0, location: {location}}}",
            "    projects:",
        ]
        lines += [
            f'      - {{name: project-{p}, accounts: ["{100000000000 + tenant * 10 + p}"]}}'
            for p in range(10)
        ]
    before = "\n".join(lines) + "\n"
    installation = Installation(folder / "data")

    def apply_all() -> Cost:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        declared.write_text(before)
        return installation.finops("apply", str(declared))

    def apply_change() -> Cost:
        text = declared.read_text()
        is_new = "Tenant 0\n" in text
        names = ("Tenant 0\n", "The first tenant\n")
        declared.write_text(text.replace(*(names if is_new else reversed(names))))
        return installation.finops("apply", str(declared))

    first = middle(apply_all, times)
    row("all are new", first, first)
    same = middle(lambda: installation.finops("apply", str(declared)), times)
    row("nothing has changed", same, first)
    changed = middle(apply_change, times)
    row("one has changed", changed, first)
    return {targets.APPLY: first.wall, targets.APPLY_CHANGED: changed.wall}


def compare_sizes(options: argparse.Namespace, work: Path) -> Values:
    """Measure both forms in every size; the first size is compared with peers."""
    values: Values = {}
    peaks: dict[str, list[float]] = {"csv.gz": [], "Parquet": []}
    forms: dict[str, Callable[[Comparison], Cost]] = {
        "csv.gz": compare_legacy,
        "Parquet": compare_cur_2,
    }
    for number, rows in enumerate(options.rows):
        times = options.times if number == 0 else 1
        for form, compare in forms.items():
            comparison = Comparison(work, rows, times, number == 0, values)
            peaks[form].append(compare(comparison).rss)
        if number == 0:
            values[targets.NOTHING_NEW] = compare_nothing_new(work, times)
    values[targets.CSV_PEAK] = max(peaks["csv.gz"])
    values[targets.PARQUET_PEAK] = max(peaks["Parquet"])
    if len(options.rows) > 1:
        values[targets.CSV_GROWTH] = max(peaks["csv.gz"]) / peaks["csv.gz"][0]
        values[targets.PARQUET_GROWTH] = max(peaks["Parquet"]) / peaks["Parquet"][0]
    return values


def main() -> None:
    """Run all comparisons and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[1_000_000, 10_000_000], help="sizes of the bills"
    )
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--times", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument(
        "--again",
        type=int,
        default=100_000,
        help="rows of a month delivered again; 0: not measured",
    )
    parser.add_argument("--tenants", type=int, default=1_000, help="tenants to declare; 0: skip")
    parser.add_argument("--beside", default="", help="Python of another version's environment")
    options = parser.parse_args()
    work = options.folder.absolute()
    work.mkdir(parents=True, exist_ok=True)
    say(machine())
    values = compare_sizes(options, work) if options.rows else {}
    if options.again:
        values[targets.MONTHS] = compare_redelivery(
            work, options.again, options.times, options.beside
        )
    if options.tenants:
        values |= compare_apply(work, options.tenants, options.times)
    say(f"\n{machine()}")
    print_targets(values)


if __name__ == "__main__":
    main()
