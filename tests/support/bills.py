"""Small bills for single tests: a legacy CUR delivery made of a few rows.

Put here: what several test files need to write a delivery. Keep out: the seeded estate.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

COLUMNS = (
    "bill/BillingPeriodStartDate",
    "lineItem/UsageAccountId",
    "lineItem/LineItemType",
    "lineItem/UsageStartDate",
    "lineItem/UnblendedCost",
    "lineItem/CurrencyCode",
)


def row(
    cost: str, account: str = "111122223333", day: str = "2026-09-05", **more: str
) -> dict[str, str]:
    """Return a Usage line; `more` adds columns or replaces the values above."""
    base = {
        "bill/BillingPeriodStartDate": f"{day[:7]}-01T00:00:00Z",
        "lineItem/UsageAccountId": account,
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": f"{day}T00:00:00Z",
        "lineItem/UnblendedCost": cost,
        "lineItem/CurrencyCode": "USD",
    }
    return base | more


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as a CSV (gzipped for .gz) whose header has all their columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = list(dict.fromkeys(name for line in rows for name in line)) or list(COLUMNS)
    with io.StringIO(newline="") as stream:
        writer = csv.DictWriter(stream, header)
        writer.writeheader()
        writer.writerows(rows)
        text = stream.getvalue().encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def deliver(
    report: Path, rows: list[dict[str, str]], month: str = "2026-09", assembly: str = "one"
) -> Path:
    """Write a month's delivery in overwrite form; return its manifest."""
    first = month.replace("-", "") + "01"
    year, number = int(month[:4]), int(month[5:])
    after = f"{year + number // 12}{number % 12 + 1:02d}01"
    folder = report / f"{first}-{after}"
    write_csv(folder / "cur-1.csv.gz", rows)
    manifest = folder / "cur-Manifest.json"
    manifest.write_text(
        json.dumps(
            {
                "assemblyId": assembly,
                "reportKeys": [f"{report.name}/{folder.name}/cur-1.csv.gz"],
                "billingPeriod": {"start": f"{first}T000000.000Z"},
            }
        )
    )
    return manifest
