"""A payer's bills whose resources recur from hour to hour and month to month, as CUR 2.0 Parquet.

Put here: writing months of recurring_bill.sql in AWS's own file layout. Keep out: what is in a line
(recurring_bill.sql), bills in which every row has a resource of its own (bills.py), measuring
(marts.py). Run as a process of its own, as bills.py is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import duckdb

ACCOUNTS = 24
LAST_MONTH = "2026-10"


def months_before(last: str, count: int) -> list[str]:
    """List so many months up to the last one."""
    newest = int(last[:4]) * 12 + int(last[5:]) - 1
    return [f"{n // 12}-{n % 12 + 1:02d}" for n in range(newest - count + 1, newest + 1)]


def write_month(folder: Path, month: str, lines: int, delivery: str = "one") -> Path:
    """Write a month's delivery below `folder`, in place of an earlier one.

    Returns:
        its Parquet file.
    """
    data = folder / "data" / f"BILLING_PERIOD={month}"
    meta = folder / "metadata" / f"BILLING_PERIOD={month}"
    data.mkdir(parents=True, exist_ok=True)
    meta.mkdir(parents=True, exist_ok=True)
    target = data / "export-00001.snappy.parquet"
    sql = Path(__file__).with_suffix("").with_name("recurring_bill.sql").read_text()
    with duckdb.connect(
        config={"memory_limit": "2GB", "temp_directory": str(folder)}
    ) as connection:
        connection.execute(f"set variable month = '{month}'; set variable lines = {lines:d}")
        connection.execute(f"copy ({sql}) to '{target}' (format parquet, compression snappy)")
    manifest = {
        "executionId": f"bench-{delivery}",
        "dataFiles": [f"s3://bench/export/data/{data.name}/{target.name}"],
    }
    (meta / "export-Manifest.json").write_text(json.dumps(manifest))
    return target


def make_months(folder: Path, months: list[str], lines: int, delivery: str = "one") -> Path:
    """Write months of so many lines each, in a process of its own; returns the export's folder."""
    command = [sys.executable, __file__, str(folder), str(lines), delivery, *months]
    subprocess.run(command, check=True)
    return folder


def main() -> None:
    """Write months."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("lines", type=int)
    parser.add_argument("delivery")
    parser.add_argument("months", nargs="+")
    options = parser.parse_args()
    for month in options.months:
        write_month(options.folder, month, options.lines, options.delivery)


if __name__ == "__main__":
    main()
