"""One small bill, and how each form of export spells it: rows, CSV text, Parquet tables, manifest.

Put here: the good delivery that mutations start from, and the writers that spell a mutated one.
Keep out: what is done to it (the families) and what must come of it (verdict.py).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MONTH, BEFORE = "2026-10", "2026-09"
ROWS_PER_FILE = 20
Row = dict[str, str]
"""Short name (see NAMES) -> text, as a legacy CSV would have it."""

LEGACY = {
    "id": "identity/LineItemId",
    "period": "bill/BillingPeriodStartDate",
    "account": "lineItem/UsageAccountId",
    "type": "lineItem/LineItemType",
    "start": "lineItem/UsageStartDate",
    "end": "lineItem/UsageEndDate",
    "service": "lineItem/ProductCode",
    "amount": "lineItem/UsageAmount",
    "currency": "lineItem/CurrencyCode",
    "cost": "lineItem/UnblendedCost",
    "words": "lineItem/LineItemDescription",
    "list": "pricing/publicOnDemandCost",
    "tag": "resourceTags/user:team",
}
CUR2 = {
    "id": "identity_line_item_id",
    "period": "bill_billing_period_start_date",
    "account": "line_item_usage_account_id",
    "type": "line_item_line_item_type",
    "start": "line_item_usage_start_date",
    "end": "line_item_usage_end_date",
    "service": "line_item_product_code",
    "amount": "line_item_usage_amount",
    "currency": "line_item_currency_code",
    "cost": "line_item_unblended_cost",
    "words": "line_item_line_item_description",
    "list": "pricing_public_on_demand_cost",
    "tag": "resource_tags",
}
FOCUS = {
    "id": "SkuPriceId",
    "period": "BillingPeriodStart",
    "account": "SubAccountId",
    "type": "ChargeCategory",
    "start": "ChargePeriodStart",
    "end": "ChargePeriodEnd",
    "service": "ServiceName",
    "amount": "ConsumedQuantity",
    "currency": "BillingCurrency",
    "cost": "BilledCost",
    "words": "ChargeDescription",
    "list": "ListCost",
    "effective": "EffectiveCost",
    "tag": "Tags",
}


@dataclass(frozen=True)
class Form:
    """One form of export: the source's format, its names, file ending, layout and manifest."""

    name: str
    format: str
    names: dict[str, str]
    ending: str

    @property
    def is_parquet(self) -> bool:
        """Whether files are Parquet."""
        return self.ending == ".parquet"

    @property
    def list_of_files(self) -> str:
        """The manifest's word for its files."""
        return "reportKeys" if self.format == "legacy-cur" else "dataFiles"

    def folder(self, month: str) -> str:
        """Where a month's files lie below the export's folder."""
        if self.format == "legacy-cur":
            year, number = int(month[:4]), int(month[5:])
            after = f"{year + number // 12}{number % 12 + 1:02d}01"
            return f"{month.replace('-', '')}01-{after}"
        return f"data/BILLING_PERIOD={month}"

    def manifest(self, month: str) -> str:
        """Where a month's manifest lies below the export's folder."""
        if self.format == "legacy-cur":
            return f"{self.folder(month)}/bill-Manifest.json"
        return f"metadata/BILLING_PERIOD={month}/bill-Manifest.json"


FORMS = {
    form.name: form
    for form in (
        Form("legacy", "legacy-cur", LEGACY, ".csv.gz"),
        Form("zip", "legacy-cur", LEGACY, ".csv.zip"),
        Form("cur2", "cur-2.0", CUR2, ".parquet"),
        Form("focus", "focus", FOCUS, ".parquet"),
        Form("focuscsv", "focus", FOCUS, ".csv.gz"),
    )
}


def good_rows(form: Form, month: str, part: int) -> list[Row]:
    """The rows of one file of the good bill: no two costs the same, 10 decimals, both signs."""
    kinds = ("Usage", "Usage", "Tax", "Credit")
    rows = []
    for number in range(ROWS_PER_FILE):
        salt = (int(month[5:]) * 7 + part * 131 + number * 37) % 997
        kind = kinds[number % 4]
        row = {
            "id": f"{month}-{part}-{number:03d}",
            "period": f"{month}-01T00:00:00Z",
            "account": ("111122223333", "444455556666")[number % 2],
            "type": kind,
            "start": f"{month}-{1 + number % 28:02d}T00:00:00Z",
            "end": f"{month}-{1 + number % 28:02d}T01:00:00Z",
            "service": ("AmazonEC2", "AmazonS3")[number % 2],
            "amount": f"{number + 1}.5",
            "currency": "USD",
            "cost": f"{'-' if kind == 'Credit' else ''}{salt}.{salt * 9973 % 10**10:010d}",
            "words": f"line {number} of part {part}",
            "list": f"{salt + 1}.25",
            "tag": ("blue", "", "red")[number % 3],
        }
        if "effective" in form.names:
            row["effective"] = row["cost"]
        rows.append(row)
    return rows


def table(form: Form, rows: Iterable[Row]) -> list[list[str]]:
    """Header and records as a CSV of this form has them; columns that no row has are left out."""
    rows = list(rows)
    shorts = [short for short in form.names if not rows or any(short in row for row in rows)]
    header = [form.names[short] for short in shorts]
    return [header, *([_csv_cell(form, s, row.get(s, "")) for s in shorts] for row in rows)]


def _csv_cell(form: Form, short: str, value: str) -> str:
    if short == "tag" and form.names["tag"] == "Tags":
        return json.dumps({"team": value} if value else {})
    return value


def csv_text(records: Iterable[Iterable[str]], newline: str = "\n", quoting: int = 0) -> str:
    """Records as CSV; `quoting` as the csv module has it."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=newline, quoting=quoting).writerows(records)  # type: ignore[arg-type]
    return out.getvalue()


def packed(text: str | bytes) -> bytes:
    """Text as gz, the same each time."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return gzip.compress(raw, compresslevel=6, mtime=0)


MONEYS = ("cost", "list", "amount", "effective")
TIMES = ("period", "start", "end")
FLOAT, DECIMAL = pa.float64(), pa.decimal128(38, 18)


def arrow(form: Form, rows: list[Row], types: dict[str, Any] | None = None) -> pa.Table:
    """Rows as AWS types them: doubles in CUR 2.0, decimals in FOCUS; `types` gives others."""
    money = DECIMAL if form.format == "focus" else FLOAT
    arrays, names = [], []
    for short, name in form.names.items():
        kind = (types or {}).get(short)
        values: list[Any] = [row.get(short) or None for row in rows]
        if kind is None and short in MONEYS:
            kind = money
        if short in TIMES and (kind is None or pa.types.is_timestamp(kind)):
            kind = kind or pa.timestamp("ms")
            values = [_moment(value) for value in values]
        if kind is None and short == "tag":
            kind = pa.map_(pa.string(), pa.string())
            key = "user_team" if form.format == "cur-2.0" else "team"
            values = [[(key, value)] if value else [] for value in values]
        names.append(name)
        arrays.append(_array(values, kind or pa.string()))
    return pa.table(dict(zip(names, arrays, strict=True)))


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value.removesuffix("Z")) if value else None


def _array(values: list[Any], kind: Any) -> Any:
    if values and all(isinstance(v, str | None) for v in values) and kind != pa.string():
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)


def write_parquet(path: Path, rows: pa.Table, **options: Any) -> None:
    """A Parquet file with a checksum on every page, unless told otherwise."""
    pq.write_table(rows, path, **{"write_page_checksum": True, **options})


@dataclass
class Delivery:
    """A delivery of one month as it lies in the folder; mutations edit its files."""

    form: Form
    root: Path
    month: str = MONTH

    @property
    def folder(self) -> Path:
        """Where the month's files lie."""
        return self.root / self.form.folder(self.month)

    @property
    def manifest(self) -> Path:
        """The month's manifest."""
        return self.root / self.form.manifest(self.month)

    def file(self, part: int) -> Path:
        """One of the two files (1 or 2)."""
        return self.folder / f"bill-{part}{self.form.ending}"

    def rows(self, part: int) -> list[Row]:
        """The rows that the file had when it was good."""
        return good_rows(self.form, self.month, part)

    def write(self, part: int, rows: list[Row], **options: Any) -> None:
        """Spell rows into a file."""
        if self.form.is_parquet:
            write_parquet(self.file(part), arrow(self.form, rows), **options)
        else:
            self.write_text(part, csv_text(table(self.form, rows)))

    def write_text(self, part: int, text: str | bytes) -> None:
        """Give a CSV file this text (lone surrogates are raw bytes)."""
        raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        path = self.file(part)
        if self.form.ending.endswith(".gz"):
            raw = packed(raw)
        if self.form.ending.endswith(".zip"):
            raw = zipped({"bill.csv": raw})
        path.write_bytes(raw)

    def text(self, part: int) -> str:
        """The good text of a CSV file."""
        return csv_text(table(self.form, self.rows(part)))

    def facts(self) -> dict[str, Any]:
        """The manifest's content."""
        loaded: dict[str, Any] = json.loads(self.manifest.read_text())
        return loaded

    def edit_manifest(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the manifest's content in place."""
        facts = self.facts()
        change(facts)
        self.manifest.write_text(json.dumps(facts))

    def write_good(self, execution: str, rows: Callable[[int], list[Row]] | None = None) -> None:
        """Write the whole delivery."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest.parent.mkdir(parents=True, exist_ok=True)
        for part in (1, 2):
            self.write(part, (rows or self.rows)(part))
        keys = [f"exports/bill/{self.form.folder(self.month)}/{self.file(n).name}" for n in (1, 2)]
        first = self.month.replace("-", "") + "01"
        if self.form.format == "legacy-cur":
            facts: dict[str, Any] = {
                "assemblyId": execution,
                "billingPeriod": {"start": f"{first}T000000.000Z"},
                "reportKeys": keys,
            }
        else:
            facts = {"executionId": execution, "dataFiles": [f"s3://bucket/{key}" for key in keys]}
        self.manifest.write_text(json.dumps(facts))


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of these members, the same each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            archive.writestr(info, raw, zipfile.ZIP_DEFLATED)
    return out.getvalue()
