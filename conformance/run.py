"""`make conformance`: our output before the official validator and two other conversions.

Put here: the order of it all, the tables, and when it fails. Keep out: each opinion itself.

Ends with 1 if a leaf rule fails that is not waived, a sum differs without an explanation, or a
corruption goes unnoticed by our own rules and checks.
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

from conformance.bills import FORMS, MONTHS, Ingested, bill_files, estate, export_charges
from conformance.compare import Line, with_converter, with_polars
from conformance.converter import convert, sums
from conformance.judge import MODELS, Failure, Waiver, failures, idle, read_waivers, reason
from conformance.score import scores

HERE = Path(__file__).parent
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


def outside(python: Path, script: str, *words: str) -> Any:
    """The JSON that a script of this folder prints, run in another environment.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    command = [str(python), str(HERE / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-1500:]}")
    return json.loads(done.stdout)


def official(python: Path, made: dict[str, Ingested], home: Path) -> bool:
    """The validator over each form's charges; whether nothing failed that is not waived."""
    files = {form: home / form / "charges.parquet" for form in made}
    for form, file in files.items():
        export_charges(made[form], file)
    waivers, told = read_waivers(), []
    for model in MODELS:
        start = time.perf_counter()
        options = ["--mended"] if model == "mended" else []
        found = outside(python, "validate.py", *options, *map(str, files.values()))
        say(f"\n### Official validator, rules as {model}: {_since(start)} for {len(files)} files\n")
        rows = []
        for form, said in zip(files, found, strict=True):
            mine = list(failures(model, form, said))
            told += mine
            waived = sum(bool(reason(failure, waivers)) for failure in mine)
            left = len(mine) - waived
            ran, skipped = said.get("rules", 0), said.get("skipped", 0)
            rows.append((form, f"{said['rows']:,}", ran, skipped, len(mine), waived, left))
        table(("form", "charges", "ran", "skipped", "failed", "waived", "not waived"), rows)
    return _verdict(told, waivers, made)


def _verdict(told: Sequence[Failure], waivers: Sequence[Waiver], forms: Iterable[str]) -> bool:
    say()
    reasons = [(failure, reason(failure, waivers)) for failure in told]
    known = sorted({(one.model, one.rule, why) for one, why in reasons if why})
    table(("rules", "waived", "why"), known)
    for words in idle(waivers, told, forms):
        say(f"\nA waiver that is not needed: {words}.")
    broken = [one for one, why in reasons if not why]
    for failure in broken:
        head = f"{failure.form}: {failure.rule} ({failure.model}), {failure.rows:,} rows"
        say(f"\nFAILED in {head}: {failure.says}")
        for example in failure.examples:
            say(f"    {', '.join(f'{name} = {value}' for name, value in example.items())}")
    return not broken


def others(python: Path, tool: Path, made: dict[str, Ingested], home: Path) -> bool:
    """Two other conversions of the same bills; whether every difference is explained."""
    bills = [
        (form, tenant.name, month)
        for form in CUR_FORMS
        for tenant in made[form].tenants
        for month in MONTHS
    ]
    jobs = home / "jobs.json"
    asked = [{"files": [str(path) for path in bill_files(made[f], t, m)]} for f, t, m in bills]
    jobs.write_text(json.dumps(asked), encoding="utf-8")
    computed = outside(python, "amortized.py", str(jobs))
    lines: list[Line] = []
    for (form, tenant, month), job in zip(bills, computed, strict=True):
        if form in CONVERTED:
            scratch = home / "converter" / f"{form}-{tenant}-{month}"
            theirs = sums(convert(tool, bill_files(made[form], tenant, month), scratch))
            lines += with_converter(made[form], tenant, month, theirs)
        lines += with_polars(made[form], tenant, month, job["sums"])
    say("\n### Two other conversions of the same bills\n")
    say("focus_converter per account, product code and day; Polars per account and service.\n")
    _side_by_side(lines)
    broken = [line for line in lines if line.unexplained]
    for line in broken:
        say(f"\nFAILED: {line.bill}, {line.basis}: {line.unexplained} groups of {line.peer} differ")
    return not broken


def _side_by_side(lines: Sequence[Line]) -> None:
    """A row for each bill and basis; a difference with the number of groups that it lies in."""
    peers = ("focus_converter", "Polars")
    found = {(line.bill, line.basis, line.peer): line for line in lines}
    rows = []
    for bill, basis in dict.fromkeys((line.bill, line.basis) for line in lines):
        here = [found.get((bill, basis, peer)) for peer in peers]
        (ours,) = {_text(line.ours) for line in here if line}
        cells = [cell for line in here for cell in _cells(line)]
        why = "; ".join(line.explanation for line in here if line and line.differing)
        rows.append((bill, basis, ours, *cells, why))
    named = [head for peer in peers for head in (peer, "less ours", "in groups")]
    table(("bill", "basis", "ours", *named, "why"), rows)


def _cells(line: Line | None) -> tuple[str, str, str]:
    if line is None:
        return ("not asked: no .gz", "", "")
    return _text(line.theirs), _text(line.theirs - line.ours), f"{line.differing} of {line.keys}"


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def corrupted(python: Path, home: Path) -> bool:
    """Corrupted charges before ours and before the validator; whether ours notice all."""
    start = time.perf_counter()

    def judge(files: Sequence[Path]) -> Iterable[list[Any]]:
        for options in ([], ["--mended"]):
            half = len(files) // 2
            with ThreadPoolExecutor(2) as both:
                parts = both.map(
                    lambda part, words=options: outside(python, "validate.py", *words, *part),
                    ([str(f) for f in files[:half]], [str(f) for f in files[half:]]),
                )
                yield [said for part in parts for said in part]

    rows = scores(home, judge)
    say(f"\n### Who notices corrupted charges: {_since(start)}\n")
    total = ("all", *(sum(row[place] for row in rows) for place in (1, 2, 3)), "")
    heads = ("kind", "ways", "ours", "the official validator", "not noticed by it")
    table(heads, [*rows, total])
    return total[1] == total[2]


def main() -> int:
    """Make the bills, ask for every opinion, and print them all before failing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("build/conformance"))
    home = parser.parse_args().home.absolute()
    python = home / "validator" / "bin" / "python"
    tool = home / "converter" / "bin" / "focus-converter"
    bills = home / "bills"
    shutil.rmtree(bills, ignore_errors=True)
    start = time.perf_counter()
    made = {form: estate(form, bills / form) for form in FORMS}
    say(f"{len(made)} forms of two tenants' bills made and ingested: {_since(start)}")
    fine = [official(python, made, bills), others(python, tool, made, bills)]
    fine.append(corrupted(python, bills / "corrupted"))
    say(f"\nIn all {_since(start)}. {'Conformant.' if all(fine) else 'NOT conformant, see above.'}")
    return 0 if all(fine) else 1


def _since(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
