"""How much longer a bill with thousands of tag columns takes than a plain one, in one run.

Put here: bills that differ in nothing but their tag columns. Keep out: large bills (ingest.py),
timing (measure.py). Run by `make bench`; `--columns 2400` chooses the width.

Compared as whole processes, `finops ingest` from nothing to the month visible, in CPU time: a bill
of one row becomes slow through planning, not through data (report opencost/opencost#2898, too many
columns).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ingest import MONTH, measure_ingest
from measure import head, machine, middle, row, say

PLAIN = {
    "bill/BillingPeriodStartDate": f"{MONTH}-01T00:00:00Z",
    "lineItem/UsageAccountId": "100000000001",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": f"{MONTH}-05T00:00:00Z",
    "lineItem/UnblendedCost": "1.5",
    "lineItem/CurrencyCode": "USD",
}


def write_report(folder: Path, columns: int) -> Path:
    """Write a legacy CUR of one row with so many tag columns, every third with a value."""
    tags = {f"resourceTags/user:Tag{n:04d}": "v" if n % 3 == 0 else "" for n in range(columns)}
    span = f"{MONTH.replace('-', '')}01-20261001"
    target = folder / span
    target.mkdir(parents=True)
    with io.StringIO(newline="") as stream:
        writer = csv.DictWriter(stream, [*PLAIN, *tags])
        writer.writeheader()
        writer.writerow(PLAIN | tags)
        (target / "report-1.csv.gz").write_bytes(gzip.compress(stream.getvalue().encode()))
    manifest = {
        "assemblyId": "one",
        "billingPeriod": {"start": f"{span[:8]}T000000.000Z", "end": f"{span[9:]}T000000.000Z"},
        "reportKeys": [f"report/{span}/report-1.csv.gz"],
    }
    (target / "report-Manifest.json").write_text(json.dumps(manifest))
    return folder


def main() -> None:
    """Measure both bills and print their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--columns", type=int, default=2_400)
    parser.add_argument("--folder", type=Path, default=Path("build/bench/wide"))
    parser.add_argument("--times", type=int, default=3, help="runs of each; the median counts")
    options = parser.parse_args()
    work = options.folder.absolute()
    shutil.rmtree(work, ignore_errors=True)
    say(machine())
    head(f"A bill of one row: plain, and with {options.columns:,} tag columns")
    narrow = write_report(work / "plain", 0)
    plain = middle(lambda: measure_ingest(work, "legacy-cur", narrow), options.times)
    row("finops ingest, no tag columns", plain, plain)
    report = write_report(work / "wide", options.columns)
    wide = middle(lambda: measure_ingest(work, "legacy-cur", report), options.times)
    row(f"finops ingest, {options.columns:,} tag columns", wide, plain)
    say(f"\nCPU time, wide against plain: {wide.cpu / plain.cpu:.2f} x")


if __name__ == "__main__":
    main()
