"""How fast a bill becomes visible, as a ratio to the least possible work, in one run.

Put here: the comparisons of docs/performance.md. Keep out: making bills (bills.py), timing
(measure.py). Run by `make bench`; `--rows 1000000 10000000` chooses the sizes.

Compared, each as a whole process: `gzip -dc` of the same bytes; DuckDB copying the same files
to Parquet and nothing else; and `finops ingest` from nothing to the month visible in the tenant's
file, start of the program included. `--beside PYTHON` names the interpreter of another checkout's
virtual environment; a month delivered again is then also measured with that version.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bills import ACCOUNTS, write_cur_2, write_legacy
from measure import Cost, best, head, machine, row, run, say

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


def measure_ingest(work: Path, form: str, location: Path, times: int) -> Cost:
    """Measure `finops ingest` of one month into a new installation."""
    costs = []
    for _ in range(times):
        shutil.rmtree(work / "data", ignore_errors=True)
        costs.append(declare(work / "data", form, location).finops("ingest", "bench"))
    return min(costs, key=lambda cost: cost.wall)


def compare_legacy(work: Path, rows: int, times: int) -> Cost:
    """Measure and print the legacy CUR table; returns the cost of `finops ingest`."""
    report = write_legacy(work / f"cur-{rows}" / "report", rows, MONTH)
    files = sorted(report.glob("*/*.csv.gz"))
    size = sum(file.stat().st_size for file in files) / 2**20
    head(f"Legacy CUR csv.gz, {rows:,} rows, {len(files)} files, {size:.0f} MiB compressed")
    base = best(["gzip", "-dc", *map(str, files)], times)
    row("gzip -dc", base, base)
    listed = ", ".join(f"'{file}'" for file in files)
    scan = f"read_csv([{listed}], all_varchar=true)"
    row(
        "DuckDB: the csv.gz to Parquet",
        best([sys.executable, "-c", COPY, scan, str(work / "o.parquet")], times),
        base,
    )
    ingest_cost = measure_ingest(work, "legacy-cur", report, times)
    row("finops ingest: csv.gz to visible", ingest_cost, base)
    return ingest_cost


def compare_cur_2(work: Path, rows: int, times: int) -> Cost:
    """Measure and print the CUR 2.0 table; returns the cost of `finops ingest`."""
    export = write_cur_2(work / f"cur2-{rows}" / "export", rows, MONTH)
    files = sorted(export.glob("data/*/*.parquet"))
    size = sum(file.stat().st_size for file in files) / 2**20
    head(f"CUR 2.0 Parquet, {rows:,} rows, {len(files)} files, {size:.0f} MiB")
    scan = "read_parquet([" + ", ".join(f"'{file}'" for file in files) + "])"
    base = best([sys.executable, "-c", COPY, scan, str(work / "o.parquet")], times)
    row("DuckDB: Parquet to Parquet", base, base)
    ingest_cost = measure_ingest(work, "cur-2.0", export, times)
    row("finops ingest: Parquet to visible", ingest_cost, base)
    return ingest_cost


def compare_redelivery(work: Path, rows: int, beside: str) -> None:
    """Measure a month delivered again: alone, as one of 36, and so with another version."""
    head(f"A month of {rows:,} rows delivered again: alone, and as one of 36")
    alone = measure_redelivery(work / "alone", rows, 1)
    row("finops ingest, the only month", alone, alone)
    row("finops ingest, one month of 36", measure_redelivery(work / "36", rows, 36), alone)
    if beside:
        other = measure_redelivery(work / "36", rows, 36, beside)
        row("finops ingest of the other version, one month of 36", other, alone)


def measure_redelivery(folder: Path, rows: int, months: int, python: str = sys.executable) -> Cost:
    """Measure the ingest of a last month with another assembly and one row more."""
    shutil.rmtree(folder, ignore_errors=True)
    report = folder / "report"
    names = [f"{2023 + (9 + n) // 12}-{(9 + n) % 12 + 1:02d}" for n in range(36)][-months:]
    for month in names:
        write_legacy(report, rows, month, files=1)
    installation = declare(folder / "data", "legacy-cur", report, python)
    installation.finops("ingest", "bench")
    shutil.rmtree(next(report.glob(f"{names[-1].replace('-', '')}01-*")))
    write_legacy(report, rows + 1, names[-1], files=1)
    return installation.finops("ingest", "bench")


def compare_apply(work: Path, tenants: int) -> None:
    """Measure declaring tenants with ten projects each: all, unchanged, and one changed."""
    head(f"finops apply: {tenants:,} tenants with 10 projects each")
    shutil.rmtree(work / "apply", ignore_errors=True)
    (work / "apply").mkdir()
    declared = work / "apply" / "tenants.yaml"
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
    declared.write_text("\n".join(lines) + "\n")
    installation = Installation(work / "apply" / "data")
    first = installation.finops("apply", str(declared))
    row("all are new", first, first)
    row("nothing has changed", installation.finops("apply", str(declared)), first)
    declared.write_text(declared.read_text().replace("Tenant 0\n", "The first tenant\n"))
    row("one has changed", installation.finops("apply", str(declared)), first)


def main() -> None:
    """Run all comparisons and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--times", type=int, default=1, help="runs of each; the quickest counts")
    parser.add_argument(
        "--again", type=int, default=100_000, help="rows of a month delivered again"
    )
    parser.add_argument("--tenants", type=int, default=1_000, help="tenants that are declared")
    parser.add_argument("--beside", default="", help="Python of another version's environment")
    options = parser.parse_args()
    work = options.folder.absolute()
    work.mkdir(parents=True, exist_ok=True)
    say(machine())
    peaks: dict[str, list[float]] = {"csv.gz": [], "Parquet": []}
    for rows in options.rows:
        peaks["csv.gz"].append(compare_legacy(work, rows, options.times).rss)
        peaks["Parquet"].append(compare_cur_2(work, rows, options.times).rss)
    if options.again:
        compare_redelivery(work, options.again, options.beside)
    if options.tenants:
        compare_apply(work, options.tenants)
    if len(options.rows) > 1:
        ratios = ", ".join(f"{form} {max(p) / p[0]:.2f} x" for form, p in peaks.items())
        say(f"\nPeak memory, largest against smallest size: {ratios}")


if __name__ == "__main__":
    main()
