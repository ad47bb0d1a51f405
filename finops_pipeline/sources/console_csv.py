"""CSV files downloaded from Cost Explorer's console: a pivot with totals, or one row per cost.

Put here: parsing their text into daily costs, checking them against their own totals. Keep out:
opening files (landing), the API (cost_explorer_api.py).

Pivot by service: a header `Service`, `EC2-Instances($)`, …, `Total costs($)`, a row `Service
total`, then a row per day. Pivot by account: a first row `Linked account` with the ids, a second
`Linked account name` with the names and the currency, a row `Linked account total`, then days.
Blank is 0. Long form: a header with a date, a cost, and Service or Linked account or both.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from finops_pipeline.contracts.cost_explorer import Answer, DayCost, Metric
from finops_pipeline.errors import FileProblem, counted
from finops_pipeline.money import difference, exact_sum, plain, read_amount

_SUFFIX = re.compile(r"\s*\(\s*([^()]{1,4}?)\s*\)\s*$")
_CURRENCY_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "₹": "INR"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)", re.ASCII)
_LONG_FORM_NAMES = {
    "date": {"date", "day", "start", "start date", "time period", "usage date"},
    "service": {"service"},
    "account": {"linked account", "linked account id", "account", "account id"},
    "cost": {"cost", "costs", "amount", "total cost", "total costs"},
    "currency": {"currency", "unit"},
}
_DOWNLOAD_AGAIN = (
    "Download it again from Cost Explorer: daily, grouped by Service or Linked account"
)


def read_console_csv(text: str, name: str, metric: Metric) -> Answer:
    """Parse the daily costs of a download.

    Args:
        text: the file's text, without a byte order mark.
        name: the file's name, for messages and the ledger.
        metric: which of Cost Explorer's metrics it shows; the file does not state it.

    Raises:
        FileProblem: it is not such a file, is monthly or hourly, has an amount that is not a
            number, or rows that do not add up to its totals; names the row and both numbers.
    """
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(map(str.strip, row))]
    if len(rows) < 2:
        raise FileProblem(
            f"{name} has {counted(len(rows), 'row')}",
            "a header, totals and a row for each day",
            _DOWNLOAD_AGAIN,
        )
    header = [cell.strip().lower() for cell in rows[0]]
    positions = {field: _find_column(header, names) for field, names in _LONG_FORM_NAMES.items()}
    sheet = _Sheet(name, metric)
    if positions["date"] is not None and positions["cost"] is not None:
        sheet.read_long(rows, positions)
    elif header[0] == "service":
        labels = [_SUFFIX.sub("", cell).strip() for cell in rows[0]]
        sheet.read_pivot(rows, labels, "service")
    elif header[0] in ("linked account", "linked account name"):
        ids_first = rows[1][0].strip().lower() == "linked account name"
        sheet.read_pivot(rows[1:] if ids_first else rows, rows[0], "")
    else:
        raise FileProblem(
            f"{name} begins with {rows[0][0][:60]!r}",
            "Service or Linked account, or a header with a date and a cost",
            _DOWNLOAD_AGAIN,
        )
    return sheet.answer()


def _find_column(header: list[str], names: set[str]) -> int | None:
    positions = [i for i, cell in enumerate(header) if _SUFFIX.sub("", cell).strip() in names]
    return positions[0] if positions else None


class _Sheet:
    """The contents of one file while it is parsed."""

    def __init__(self, name: str, metric: Metric) -> None:
        self._name = name
        self._metric = metric
        self._days: list[date] = []
        self._costs: dict[tuple[date, str, str, str], Decimal] = {}
        self._rounded = 0

    def read_pivot(self, rows: list[list[str]], labels: Sequence[str], breakdown: str) -> None:
        """Read a row per day and a column per service or account; check and drop the totals."""
        header, kind = rows[0], rows[0][0].strip()
        width = len(header)
        if not _SUFFIX.sub("", header[-1]).strip().lower() == "total costs":
            raise self._problem(
                f"ends with the column {header[-1]!r}", "the last column to be Total costs"
            )
        totals_label = re.sub(r" name$", "", kind, flags=re.IGNORECASE) + " total"
        if rows[1][0].strip().lower() != totals_label.lower():
            raise self._problem(
                f"has no row {totals_label!r} below its header", "a row of totals with that label"
            )
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != width:
                raise self._problem(
                    f"row {number} has {counted(len(row), 'cell')}", f"{width}, as in the header"
                )
        currency = self._read_currency(header[1:])
        names = [self._read_label(labels[i], breakdown) for i in range(1, width - 1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise self._problem(f"has two columns named {twice[0]!r}", "each column once")
        grid = [[self._read_amount(cell, row[0]) for cell in row[1:]] for row in rows[1:]]
        self._days = [self._read_day(row[0]) for row in rows[2:]]
        self._check_totals(grid, names, currency)
        for day, row, amounts in zip(self._days, rows[2:], grid[1:], strict=True):
            for name, cell, amount in zip(names, row[1:], amounts, strict=False):
                if cell.strip():
                    account, service = ("", name) if breakdown else (name, "")
                    self._costs[day, account, service, currency] = amount

    def read_long(self, rows: list[list[str]], positions: dict[str, int | None]) -> None:
        """Read a row per day and service or account."""
        header = rows[0]
        day_at, cost_at = positions["date"], positions["cost"]
        if positions["service"] is None and positions["account"] is None:
            raise self._problem(
                f"has the columns {', '.join(header)}", "a column Service or Linked account"
            )
        days = set()
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != len(header):
                raise self._problem(
                    f"row {number} has {counted(len(row), 'cell')}",
                    f"{len(header)}, as in the header",
                )
            cells = {w: row[i].strip() if i is not None else "" for w, i in positions.items()}
            day = self._read_day(row[day_at or 0])
            days.add(day)
            account = (
                self._read_label(cells["account"], "") if positions["account"] is not None else ""
            )
            currency = cells["currency"] or self._read_currency([header[cost_at or 0]])
            key = (day, account, cells["service"], currency)
            if key in self._costs:
                label = " ".join(filter(None, key[1:3])) or "no service or account"
                raise self._problem(
                    f"row {number} repeats the cost of {label} on {day}", "each cost once"
                )
            self._costs[key] = self._read_amount(row[cost_at or 0], f"row {number}")
        self._days = sorted(days)

    def answer(self) -> Answer:
        """Return what was read, provided that its rows are days."""
        days = sorted(self._days)
        for day, next_day in pairwise(days):
            if day == next_day:
                raise self._problem(f"has {day} twice", "each day once")
        first_of_month = all(day.day == 1 for day in days)
        if first_of_month:
            raise self._problem(
                f"has monthly costs: every row, {days[0]} to {days[-1]}, is for the first day of a"
                " month",
                "a row for each day",
            )
        rows = tuple(
            DayCost(
                day,
                account or None,
                service or None,
                currency,
                cost if self._metric is Metric.UNBLENDED else None,
                cost if self._metric is Metric.AMORTIZED else None,
            )
            for (day, account, service, currency), cost in self._costs.items()
        )
        is_estimated: dict[date, bool | None] = dict.fromkeys(days)
        return Answer(is_estimated, rows, frozenset({self._metric}), self._name, self._rounded)

    def _read_label(self, cell: str, breakdown: str) -> str:
        if breakdown:
            return _SUFFIX.sub("", cell).strip()
        account_ids = _ACCOUNT.findall(cell)
        if len(account_ids) != 1:
            raise self._problem(f"names the account {cell.strip()!r}", "an account id of 12 digits")
        return str(account_ids[0])

    def _read_currency(self, cells: Sequence[str]) -> str:
        units = {(_SUFFIX.findall(cell) or [""])[0].strip() for cell in cells}
        unit = units.pop() if len(units) == 1 else ""
        currency = _CURRENCY_SYMBOLS.get(unit, unit)
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise self._problem(
                "does not name one currency (its columns name"
                f" {', '.join(sorted({unit, *units}))})",
                "($), (€) or a code such as (USD) after every column's name",
            )
        return currency

    def _read_day(self, cell: str) -> date:
        text = cell.strip()
        try:
            if not _DAY.fullmatch(text):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError as error:
            raise self._problem(
                f"has a row for {text[:40]!r}", "days such as 2026-10-01"
            ) from error

    def _read_amount(self, cell: str, row: str) -> Decimal:
        parsed = read_amount(cell.strip() or "0")
        if parsed is None:
            raise self._problem(
                f"has the cost {cell.strip()!r} in {row}", "a decimal number such as 1234.5"
            )
        self._rounded += parsed[1]
        return parsed[0]

    def _check_totals(self, grid: list[list[Decimal]], names: list[str], currency: str) -> None:
        """Check that columns and rows add up to their totals, and those to the grand total."""
        totals, days = grid[0], grid[1:]
        finest = _count_decimals([a for day in days for a in day[:-1]])
        coarse = _count_decimals([*totals, *(day[-1] for day in days)])

        def check(label: str, amounts: Sequence[Decimal], total: Decimal) -> None:
            added = exact_sum(amounts)
            # Half of the last digit of each number, and the precision of a float of that size.
            tolerance = len(amounts) * Decimal(5).scaleb(-finest - 1) + Decimal(5).scaleb(
                -coarse - 1
            )
            if abs(difference(added, total)) > tolerance + abs(total).scaleb(-13):
                raise self._problem(
                    f"states that {label} is {plain(total)} {currency}, but its rows add up to"
                    f" {plain(added)}",
                    "the same number, apart from rounding",
                )

        for index, name in enumerate(names):
            check(f"the total of {name}", [day[index] for day in days], totals[index])
        for day, amounts in zip(self._days, days, strict=True):
            check(f"the total of {day}", amounts[:-1], amounts[-1])
        check("the total", [day[-1] for day in days], totals[-1])

    def _problem(self, finding: str, expected: str) -> FileProblem:
        return FileProblem(f"{self._name} {finding}", expected, _DOWNLOAD_AGAIN)


def _count_decimals(amounts: Sequence[Decimal]) -> int:
    """Return the largest number of decimals with which any of these numbers is written."""
    return max((len(plain(a).partition(".")[2]) for a in amounts), default=0)
