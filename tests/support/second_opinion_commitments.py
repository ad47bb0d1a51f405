"""The marts of commitments once more, from the charges, in Polars and Python's own decimals.

Put here: use and inventory computed another way than in marts/sql. Keep out: coverage
(second_opinion_coverage.py), usage (second_opinion_usage.py), the comparison (mart_comparison.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import polars as pl

from tests.support.mart_comparison import Row, percent, total

TEN = Decimal("1e-10")
BY_COMMITMENT = ["billing_period", "source", "commitment_discount_id", "billing_currency"]


def committed(charges: pl.DataFrame) -> pl.DataFrame:
    """Charges of commitments that say something about use: no refunds, no corrections."""
    return charges.filter(
        pl.col("CommitmentDiscountId").is_not_null(),
        pl.col("ChargeClass").is_null(),
        pl.col("x_LineItemType").fill_null("-") != "Refund",
        pl.col("ChargeCategory").is_in(["Purchase", "Usage"]),
    ).rename(
        {
            "x_Source": "source",
            "CommitmentDiscountId": "commitment_discount_id",
            "BillingCurrency": "billing_currency",
            "ChargePeriodStart": "period_start",
        }
    )


def kind_of_fee(row: Row) -> str:
    """`fee`, `upfront`, `used` or `unused`."""
    if row["CommitmentDiscountStatus"]:
        return str(row["CommitmentDiscountStatus"]).lower()
    recurring = {"RIFee": True, "SavingsPlanRecurringFee": True, "Fee": False,
                 "SavingsPlanUpfrontFee": False}  # fmt: skip
    stated = recurring.get(row["x_LineItemType"] or "", row["ChargeFrequency"] == "Recurring")
    return "fee" if stated else "upfront"


def groups(frame: pl.DataFrame, keys: list[str]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each group's key and its rows."""
    for values, part in frame.group_by(keys):
        yield dict(zip(keys, values, strict=True)), part.to_dicts()


def use_of(rows: list[Row]) -> dict[str, Any]:
    """Sums of a commitment's charges by what they are."""
    by_kind: dict[str, list[Row]] = {"fee": [], "upfront": [], "used": [], "unused": []}
    for row in rows:
        by_kind[kind_of_fee(row)].append(row)
    quantity = "CommitmentDiscountQuantity"
    return {
        "charges": len(rows),
        "committed_quantity": total(by_kind["fee"], quantity),
        "covered_quantity": total(by_kind["used"], quantity),
        "unused_quantity": total(by_kind["unused"], quantity),
        "fees_billed": total(by_kind["fee"], "BilledCost"),
        "upfront_share": total(by_kind["fee"], "x_AmortizedUpfrontCost"),
        "used_cost": total(by_kind["used"], "EffectiveCost"),
        "unused_cost": total(by_kind["unused"], "EffectiveCost"),
        "not_yet_used_cost": total(by_kind["unused"], "x_NotYetUsedCost"),
        "upfront_billed": total(by_kind["upfront"], "BilledCost"),
    }


def utilization_hourly(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitment_utilization_hourly`."""
    of_periods = committed(charges).with_columns(
        ((pl.col("ChargePeriodEnd") - pl.col("period_start")).dt.total_seconds() // 3600).alias(
            "period_hours"
        )
    )
    result = []
    for key, rows in groups(of_periods, [*BY_COMMITMENT, "period_start", "period_hours"]):
        use = use_of(rows)
        paid = None
        if use["upfront_share"] is not None:
            paid = use["fees_billed"] + use["upfront_share"]
            use["cost_so_far"] = paid - (use["not_yet_used_cost"] or 0)
        else:
            use["cost_so_far"] = None
        used = None if paid is None else paid - (use["unused_cost"] or 0)
        result.append(key | use | {"used_percent": percent(used, use["cost_so_far"])})
    return result


def utilization(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitment_utilization`, but for the note."""
    result = []
    for key, rows in groups(committed(charges), BY_COMMITMENT):
        use = use_of(rows)
        used, unused = use["used_cost"] or Decimal(0), use["unused_cost"] or Decimal(0)
        later = use["not_yet_used_cost"] or Decimal(0)
        if use["fees_billed"] is None and use["used_cost"] is None and use["unused_cost"] is None:
            continue
        has_fee = use["fees_billed"] is not None
        cost = None
        if has_fee and use["upfront_share"] is not None:
            cost = use["fees_billed"] + use["upfront_share"]
        elif has_fee:
            cost = used + unused
        quantity, idle = use["committed_quantity"], use["unused_quantity"] or Decimal(0)
        units = None if quantity is None else quantity - idle
        result.append(
            key
            | {
                "total_quantity": quantity,
                "used_quantity": units if has_fee else None,
                "unused_quantity": idle if has_fee else None,
                "covered_quantity": use["covered_quantity"],
                "used_quantity_percent": None if later else percent(units, quantity),
                "total_cost": cost,
                "used_cost": used,
                "unused_cost": unused,
                "not_yet_used_cost": later,
                "used_percent": None if cost is None else percent(cost - unused, cost - later),
            }
        )
    return result


def inventory(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitments`."""
    newest: dict[tuple[str, str], date] = {}
    usage = charges.filter(
        pl.col("ChargeCategory") == "Usage",
        pl.col("ChargeClass").is_null(),
        pl.col("CommitmentDiscountStatus").fill_null("-") != "Unused",
    )
    for key, rows in groups(usage, ["billing_period", "x_Source"]):
        days = [row["ChargePeriodStart"].date() for row in rows]
        newest[key["billing_period"], key["x_Source"]] = max(days)
    result = []
    for key, rows in groups(committed(charges), BY_COMMITMENT):
        fees = [row for row in rows if kind_of_fee(row) == "fee"]
        periods = {(row["period_start"], row["ChargePeriodEnd"]) for row in fees}
        hours = sum((end - start) // timedelta(hours=1) for start, end in periods)
        use = use_of(rows)
        as_of = newest[key["billing_period"], key["source"]]
        end = max((r["x_CommitmentEnd"] for r in rows if r["x_CommitmentEnd"]), default=None)
        recurring, upfront, size = (
            None if value is None or not hours else per_hour(value, hours)
            for value in (use["fees_billed"], use["upfront_share"], use["committed_quantity"])
        )
        hourly = None
        if recurring is not None and upfront is not None:
            hourly = per_hour(use["fees_billed"] + use["upfront_share"], hours)
        if hourly is None and rows[0]["CommitmentDiscountType"] == "Savings Plan":
            hourly = size
        result.append(
            key
            | {
                "as_of_day": as_of,
                "project": owner_project(rows),
                "owner_account_id": fees[0]["SubAccountId"] if fees else None,
                "commitment_discount_type": rows[0]["CommitmentDiscountType"],
                "offering": only(rows, "x_CommitmentOffering"),
                "term": only(rows, "x_CommitmentTerm"),
                "payment_option": only(rows, "x_CommitmentPaymentOption"),
                "end_time": end,
                "days_left": None if end is None else max((end.date() - as_of).days, 0),
                "committed_quantity_per_hour": size,
                "hourly_commitment": hourly,
                "upfront_billed": use["upfront_billed"],
            }
        )
    return result


def per_hour(amount: Decimal, hours: int) -> Decimal:
    """Divide, with ten decimals."""
    return (amount / hours).quantize(TEN, ROUND_FLOOR)


def owner_project(rows: list[Row]) -> str:
    """The project of the newest fee, or the first one that used the commitment."""
    paid = [row for row in rows if kind_of_fee(row) != "used"]
    if paid:
        return str(max(paid, key=lambda row: row["period_start"])["project"])
    return min(str(row["project"]) for row in rows)


def only(rows: list[Row], column: str) -> Any:
    """The only value that the rows state, or None."""
    values = {row[column] for row in rows} - {None}
    assert len(values) <= 1, values
    return values.pop() if values else None
