"""Prices that rules of waste compare with: a dated list as data, and the tenant's own bill.

Put here: reading the list that is shipped and the installation's own, and filling `prices`. Keep
out: prices in code or in rules.

A price of the bill comes first: it is the tenant's own. Then the installation's list, then ours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache
from importlib import resources
from pathlib import Path

from finops_pipeline.contracts.waste_tables import PRICES, RECENT_USAGE
from finops_pipeline.errors import SettingError
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.marts.status_tables import append_rows

_EXPECTED = (
    "a CSV file with the columns service_code, price_code, region_id, unit, price, currency,"
    " valid_from, source_url"
)


@dataclass(frozen=True)
class Price:
    """A list price of a unit of a meter in a region, with its date and source."""

    service_code: str
    price_code: str
    region_id: str
    unit: str
    price: Decimal
    currency: str
    valid_from: date
    source_url: str
    origin: str = "shipped"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The fields that identify what is priced; a later entry replaces an earlier one."""
        return (self.service_code, self.price_code, self.region_id, self.currency)


@cache
def shipped_prices() -> tuple[Price, ...]:
    """Read the list of prices that is part of the package."""
    file = resources.files("finops_pipeline.marts") / "prices" / "aws_list_prices.csv"
    return tuple(parse_prices(file.read_text(encoding="utf-8"), "shipped"))


def parse_prices(text: str, origin: str) -> list[Price]:
    """Read prices from the text of a CSV file.

    Raises:
        ValueError: it has other columns, or a value that cannot be read.
    """
    names = [field.name for field in fields(Price)][:-1]
    reader = csv.DictReader(io.StringIO(text))
    if reader.fieldnames != names:
        raise ValueError(f"its columns are {', '.join(reader.fieldnames or ()) or '(none)'}")
    prices = []
    for number, row in enumerate(reader, start=2):
        try:
            amount = Decimal(row["price"])
            day = date.fromisoformat(row["valid_from"])
        except (InvalidOperation, ValueError, TypeError) as error:
            raise ValueError(f"line {number} has no price or day that can be read") from error
        if not amount.is_finite() or amount < 0 or amount >= 10**6:
            raise ValueError(f"line {number} has the price {amount}")
        service, code, region, unit = (row[name] for name in names[:4])
        price = Price(service, code, region, unit, amount, row["currency"], day, "", origin)
        prices.append(replace(price, source_url=row["source_url"]))
    return prices


def read_price_list(path: str) -> tuple[Price, ...]:
    """Return the shipped prices, replaced and completed by an installation's own list.

    Raises:
        SettingError: that list cannot be read.
    """
    if not path:
        return shipped_prices()
    try:
        own = parse_prices(Path(path).read_text(encoding="utf-8"), "installation")
    except (OSError, ValueError) as error:
        raise SettingError(
            f"FINOPS_PRICES is {path!r}, which cannot be read: {error}",
            _EXPECTED,
            "Correct the file, or unset FINOPS_PRICES",
        ) from error
    by_key = {price.key: price for price in (*shipped_prices(), *own)}
    return tuple(by_key.values())


def fill_prices(connection: Connection, listed: Sequence[Price]) -> None:
    """Fill `prices` of the file being built from the tenant's bill and the list."""
    connection.execute(f"delete from {WAREHOUSE}.{PRICES.name}")
    bill = _bill_prices(connection)
    used = {(price.region_id, price.currency) for price in bill}
    here = [price for price in listed if (price.region_id, price.currency) in used]
    by_key = {price.key: price for price in (*here, *bill)}
    append_rows(connection, PRICES, [astuple(by_key[key]) for key in sorted(by_key)])


def _bill_prices(connection: Connection) -> list[Price]:
    """Return what a unit of each meter costs at list prices, according to the bill."""
    prices = []
    with localcontext() as context:
        context.prec = 50
        for row in connection.execute(_METERS).fetchall():
            service, code, region, unit, cost, quantity, currency, day = row
            each = (cost / quantity).quantize(_STEP)
            prices.append(Price(service, code, region, unit, each, currency, day, _BILL, "bill"))
    return prices


_STEP = Decimal("0.000000000001")
_BILL = "list price in this bill"
_METERS = f"""
    select
        service_code,
        case
            when service_code = 'AmazonRDS' and contains(meter, 'Usage:')
            then meter || '/' || operation
            else meter
        end as price_code,
        region_id,
        any_value(consumed_unit),
        sum(list_cost),
        sum(consumed_quantity),
        billing_currency,
        max(window_end)
    from {WAREHOUSE}.{RECENT_USAGE.name}
    where list_cost > 0 and consumed_quantity > 0 and spot_quantity = 0
        and service_code is not null and meter is not null and region_id is not null
        and (service_code <> 'AmazonRDS' or operation is not null)
        and (meter not like 'BoxUsage%' or operation = 'RunInstances')
    group by service_code, price_code, region_id, billing_currency
    having count(distinct consumed_unit) = 1 and sum(list_cost) < 100000000000000
"""
