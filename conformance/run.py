"""`make conformance`: our output checked by the official validator and two other conversions.

Put here: the order of the checks, the printed tables, and what makes it fail. Keep out: each check
itself.

Exits with 1 if a leaf rule fails without a waiver, a sum differs without an explanation, or our own
rules and checks miss a corruption.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

from conformance.bills import (
    FORMS,
    MONTHS,
    Ingested,
    bill_files,
    export_charges,
    ingest_estate,
)
from conformance.compare import Comparison, compare_with_converter, compare_with_polars
from conformance.converter import convert, sum_charges
from conformance.corruption_scores import score_corruptions
from conformance.exports import export_all, queries, write_queries
from conformance.waivers import (
    MODELS,
    Failure,
    Waiver,
    find_reason,
    list_unused_waivers,
    read_failures,
    read_waivers,
)

SCRIPTS = Path(__file__).parent
CUR_FORMS = ("legacy-cur", "legacy-cur-parquet", "cur-2.0")
CONVERTED = ("legacy-cur-parquet", "cur-2.0")
"""Forms that focus_converter reads: Parquet under the legacy report's names."""


def say(text: str = "") -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table with aligned columns."""
    cells = [heads, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    for number, row in enumerate(cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(f"| {' | '.join(padded)} |")
        if number == 0:
            say(f"|{'|'.join('-' * (width + 2) for width in widths)}|")


def run_outside(python: Path, script: str, *arguments: str) -> Any:
    """Run a script of this folder in another environment; returns the JSON that it prints.

    Raises:
        RuntimeError: it failed; the message has the end of its output.
    """
    command = [str(python), str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-1500:]}")
    return json.loads(done.stdout)


def run_validator(python: Path, ingested: dict[str, Ingested], home: Path) -> bool:
    """Run the validator over each form's charges; whether every failure is waived."""
    files = {form: home / form / "charges.parquet" for form in ingested}
    for form, file in files.items():
        export_charges(ingested[form], file)
    waivers = read_waivers()
    all_failures: list[Failure] = []
    for model in MODELS:
        start = time.perf_counter()
        options = ["--corrected"] if model == "corrected" else []
        reports = run_outside(python, "validate.py", *options, *map(str, files.values()))
        say(f"\n### Official validator, rules as {model}: {_since(start)} for {len(files)} files\n")
        rows = []
        for form, report in zip(files, reports, strict=True):
            failures = list(read_failures(model, form, report))
            all_failures += failures
            waived = sum(bool(find_reason(failure, waivers)) for failure in failures)
            ran, skipped = report.get("rules", 0), report.get("skipped", 0)
            counts = (len(failures), waived, len(failures) - waived)
            rows.append((form, f"{report['rows']:,}", ran, skipped, *counts))
        table(("form", "charges", "ran", "skipped", "failed", "waived", "not waived"), rows)
    return _print_verdict(all_failures, waivers, ingested)


def _print_verdict(
    failures: Sequence[Failure], waivers: Sequence[Waiver], forms: Iterable[str]
) -> bool:
    """Print waived rules, waivers without use, and failures; whether none is left unwaived."""
    say()
    reasons = [(failure, find_reason(failure, waivers)) for failure in failures]
    waived = sorted({(failure.model, failure.rule, why) for failure, why in reasons if why})
    table(("rules", "waived", "why"), waived)
    for description in list_unused_waivers(waivers, failures, forms):
        say(f"\nThis waiver is no longer needed: {description}.")
    unwaived = [failure for failure, why in reasons if not why]
    for failure in unwaived:
        head = f"{failure.form}: {failure.rule} ({failure.model}), {failure.rows:,} rows"
        say(f"\nFAILED in {head}: {failure.requirement}")
        for example in failure.examples:
            say(f"    {', '.join(f'{name} = {value}' for name, value in example.items())}")
    return not unwaived


def run_other_conversions(
    python: Path, tool: Path, ingested: dict[str, Ingested], home: Path
) -> bool:
    """Convert the same bills in two other ways; whether every difference is explained."""
    bills = [
        (form, tenant.name, month)
        for form in CUR_FORMS
        for tenant in ingested[form].tenants
        for month in MONTHS
    ]
    jobs = home / "jobs.json"
    requests = [
        {"files": [str(path) for path in bill_files(ingested[form], tenant, month)]}
        for form, tenant, month in bills
    ]
    jobs.write_text(json.dumps(requests), encoding="utf-8")
    results = run_outside(python, "amortized.py", str(jobs))
    comparisons: list[Comparison] = []
    for (form, tenant, month), result in zip(bills, results, strict=True):
        if form in CONVERTED:
            scratch = home / "converter" / f"{form}-{tenant}-{month}"
            converted = convert(tool, bill_files(ingested[form], tenant, month), scratch)
            sums = sum_charges(converted)
            comparisons += compare_with_converter(ingested[form], tenant, month, sums)
        comparisons += compare_with_polars(ingested[form], tenant, month, result["sums"])
    say("\n### Two other conversions of the same bills\n")
    say("focus_converter per account, product code and day; Polars per account and service.\n")
    _print_comparisons(comparisons)
    failed = [comparison for comparison in comparisons if comparison.unexplained]
    for comparison in failed:
        groups = f"{comparison.unexplained} groups of {comparison.peer} differ without explanation"
        say(f"\nFAILED: {comparison.bill}, {comparison.basis}: {groups}")
    return not failed


def _print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Print a row for each bill and basis, with each peer's difference and its groups."""
    peers = ("focus_converter", "Polars")
    by_peer = {(c.bill, c.basis, c.peer): c for c in comparisons}
    rows = []
    for bill, basis in dict.fromkeys((c.bill, c.basis) for c in comparisons):
        in_order = [by_peer.get((bill, basis, peer)) for peer in peers]
        (our_total,) = {_text(comparison.our_total) for comparison in in_order if comparison}
        cells = [cell for comparison in in_order for cell in _cells(comparison)]
        why = "; ".join(c.explanation for c in in_order if c and c.differing)
        rows.append((bill, basis, our_total, *cells, why))
    heads = [head for peer in peers for head in (peer, "minus ours", "differing groups")]
    table(("bill", "basis", "ours", *heads, "why"), rows)


def _cells(comparison: Comparison | None) -> tuple[str, str, str]:
    if comparison is None:
        return ("not run: reads Parquet only", "", "")
    surplus = comparison.peer_total - comparison.our_total
    groups = f"{comparison.differing} of {comparison.keys}"
    return _text(comparison.peer_total), _text(surplus), groups


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def run_corruptions(python: Path, home: Path) -> bool:
    """Check corrupted charges by our rules and by the validator; whether ours notice all."""
    start = time.perf_counter()

    def validate(files: Sequence[Path]) -> Iterable[list[Any]]:
        half = len(files) // 2
        halves = ([str(file) for file in files[:half]], [str(file) for file in files[half:]])
        for options in ([], ["--corrected"]):
            commands = [("validate.py", *options, *part) for part in halves]
            with ThreadPoolExecutor(2) as pool:
                reports = pool.map(lambda command: run_outside(python, *command), commands)
                yield [report for part in reports for report in part]

    rows = score_corruptions(home, validate)
    say(f"\n### Which corrupted charges are noticed: {_since(start)}\n")
    total = ("all", *(sum(row[place] for row in rows) for place in (1, 2, 3)), "")
    heads = ("kind", "ways", "ours", "the official validator", "not noticed by it")
    table(heads, [*rows, total])
    return total[1] == total[2]


def run_exports(python: Path, ingested: dict[str, Ingested], home: Path) -> bool:
    """Open an export of each tenant with DuckDB 1.4; whether it answers every query."""
    start = time.perf_counter()
    files = export_all(ingested, home)
    asked = write_queries(home)
    result = run_outside(python, "open_export.py", str(asked), *map(str, files))
    say(f"\n### Exported files in DuckDB {result['duckdb']}: {_since(start)}\n")
    say(f"{len(files)} files answered {len(queries())} queries with {result['rows']:,} rows.")
    for path, name, error in result["failed"]:
        say(f"\nFAILED: {name} on {Path(path).name}: {error}")
    return not result["failed"] and result["rows"] > 0


def main() -> int:
    """Make the bills, run every check, and print all results before failing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("build/conformance"))
    home = parser.parse_args().home.absolute()
    python = home / "validator" / "bin" / "python"
    tool = home / "converter" / "bin" / "focus-converter"
    bills = home / "bills"
    shutil.rmtree(bills, ignore_errors=True)
    start = time.perf_counter()
    ingested = {form: ingest_estate(form, bills / form) for form in FORMS}
    say(f"{len(ingested)} forms of two tenants' bills made and ingested: {_since(start)}")
    passed = [
        run_validator(python, ingested, bills),
        run_other_conversions(python, tool, ingested, bills),
        run_corruptions(python, bills / "corrupted"),
        run_exports(home / "duckdb14" / "bin" / "python", ingested, bills / "exports"),
    ]
    verdict = "Conformant." if all(passed) else "NOT conformant, see above."
    say(f"\n{verdict} {_since(start)} in total.")
    return 0 if all(passed) else 1


def _since(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
