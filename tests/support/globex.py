"""Globex ingested, with its exports open to damage, next to an acme that must not change.

For tests that edit generated deliveries (test_bad_input, test_quarantine): the files to edit, one
`finops` in this process, and the state of the month afterwards. Keep out: the damage itself.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from finops_pipeline.cli.app import app
from finops_pipeline.errors import FinopsError, counted
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.published_files import published_files

MONTH = LAST_MONTH
COST, TYPE, START = "lineItem/UnblendedCost", "lineItem/LineItemType", "lineItem/UsageStartDate"
ACCOUNT, PERIOD, ID = (
    "lineItem/UsageAccountId",
    "bill/BillingPeriodStartDate",
    "identity/LineItemId",
)
Row = list[str]


def finops(*arguments: str, data: Path | None = None) -> tuple[int, str]:
    """Run the command line in this process; return the exit code and all output with the error.

    Without `data`, on the test's own FINOPS_DATA.
    """
    done = _invoked(arguments, data)
    if isinstance(done.exception, FinopsError):
        return 1, f"{done.output}{done.exception}"
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def _invoked(arguments: Sequence[str], data: Path | None = None) -> Result:
    return CliRunner().invoke(
        app, list(arguments), env={"FINOPS_DATA": str(data)} if data else None
    )


def ask(sql: str, tenant: str = "globex", data: Path | None = None) -> list[dict[str, Any]]:
    """`finops query`; amounts as text, exactly."""
    done = _invoked(("query", tenant, sql, "--format", "json"), data)
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout, parse_float=str)
    return rows


def in_month(source: str, column: str = "source") -> str:
    """SQL condition for a source's rows of the month."""
    return f"where {column} = '{source}' and billing_period = '{MONTH}'"


def quarantine(source: str) -> list[dict[str, Any]]:
    return ask(f"from quarantine {in_month(source)} order by source_file, line")


def summed(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    by_account: dict[str, Decimal] = defaultdict(Decimal)
    for account, cost in pairs:
        by_account[account] += cost
    return dict(by_account)


def billed(records: list[Row], without: Sequence[int] = ()) -> dict[str, Decimal]:
    """Sum a CSV's costs by account, without the records at these positions (0 is the header)."""
    account, cost = records[0].index(ACCOUNT), records[0].index(COST)
    billed_records = [r for n, r in enumerate(records) if n and n not in without]
    return summed((r[account], Decimal(r[cost])) for r in billed_records)


@dataclass(frozen=True)
class Globex:
    """The installation, and the exports it reads."""

    made: TemporaryInstallation
    exports: Path

    @property
    def csv(self) -> Path:
        """The one file of source `legacy`, a legacy CUR."""
        folder = self.exports / "globex/legacy/finops/cur-legacy/20261001-20261101"
        return folder / "cur-legacy-1.csv.gz"

    @property
    def csv_manifest(self) -> Path:
        """The manifest that names it."""
        return self.csv.with_name("cur-legacy-Manifest.json")

    def parquet(self, part: int) -> Path:
        """File 1 or 2 of source `payer`, a CUR 2.0."""
        folder = self.exports / f"globex/payer/exports/cur2-daily/data/BILLING_PERIOD={MONTH}"
        return folder / f"cur2-daily-{part:05d}.snappy.parquet"

    @property
    def text(self) -> str:
        """The CSV's text."""
        return gzip.decompress(self.csv.read_bytes()).decode()

    def records(self) -> list[Row]:
        """Header and rows of the CSV."""
        return list(csv.reader(io.StringIO(self.text, newline="")))

    def column(self, name: str) -> int:
        """Position of a column in the CSV."""
        return self.records()[0].index(name)

    def write(self, records: list[Row], newline: str = "\n", mark: str = "") -> list[str]:
        """Write the CSV; returns each record's raw text."""
        parts = []
        for record in records:
            stream = io.StringIO(newline="")
            csv.writer(stream, lineterminator=newline).writerow(record)
            parts.append(stream.getvalue())
        self.write_text(mark + "".join(parts))
        return parts

    def write_text(self, text: str) -> None:
        """Write the CSV's text unchanged (bytes that are not UTF-8 as surrogates)."""
        self.csv.write_bytes(gzip.compress(text.encode(errors="surrogateescape")))

    def edit_manifest(self, **facts: object) -> None:
        """Change facts in the CSV's manifest."""
        self.csv_manifest.write_text(json.dumps(json.loads(self.csv_manifest.read_text()) | facts))

    def deliver(self, source: str, empty: bool = False) -> None:
        """Write the month's delivery of a source again, complete or with headers only."""
        write_delivery(
            self.exports,
            DeliveryRequest(
                seed=SEED,
                last_month=LAST_MONTH,
                tenant="globex",
                source=source,
                month=MONTH,
                empty=empty,
            ),
        )

    def ingest(self, ok: bool = True) -> str:
        """`finops ingest globex` for the month; return all its output."""
        code, output = finops("ingest", "globex", "--month", MONTH)
        assert (code == 0) is ok, output
        return output

    def status(self, source: str) -> dict[str, Any]:
        """The month's line of `finops status`, which is the file's `data_status` as well."""
        statuses = json.loads(finops("status", "globex", "--format", "json")[1], parse_float=str)
        of_month = [s for s in statuses if (s["source"], s["billing_period"]) == (source, MONTH)]
        in_file = ask(f"from data_status {in_month(source)}")
        assert [{key: row[key] for key in in_file[0]} for row in of_month] == in_file
        assert len(of_month) == 1
        status: dict[str, Any] = of_month[0]
        return status

    def check_exact(self, source: str, by_account: dict[str, Decimal], lost: int) -> dict[str, Any]:
        """Check that the month bills exactly this, and every row read is kept or quarantined."""
        rows = ask(
            "select SubAccountId as a, sum(BilledCost) as b from costs"
            f" {in_month(source, 'x_Source')} group by a"
        )
        assert {row["a"]: Decimal(row["b"]) for row in rows} == by_account
        bill = ask(f"select sum(billed_cost) as b from monthly_bill {in_month(source)}")
        assert Decimal(bill[0]["b"]) == sum(by_account.values())
        status = self.status(source)
        # A newer delivery that was refused leaves the published one open.
        newer = "a newer delivery was refused" in (status["reason"] or "")
        assert status["state"] == ("differs" if lost else "open" if newer else "reconciled")
        assert Decimal(status["source_cost"]) == sum(by_account.values())
        assert status["rows_read"] == status["rows_kept"] + status["rows_quarantined"]
        assert status["rows_quarantined"] == lost == len(quarantine(source))
        if lost:
            assert f"{counted(lost, 'row')} " in status["reason"]
            assert "in quarantine and not in the charges" in status["reason"]
        return status

    def served(self) -> dict[str, bytes]:
        """Return every published file of the month, and the marts as CSV, to the byte."""
        folder = self.made.folder("globex")
        contents = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in published_files(folder)
            if f"billing_period={MONTH}" in path.parts
        }
        for table in ("daily_costs", "monthly_costs", "monthly_bill"):
            query = ("query", "globex", f"from {table}", "--format", "csv")
            contents[table] = _invoked(query).stdout.encode()
        return contents
