"""What resources used lately, computed once more from the costs of days, by Polars.

Put here: the mart recent_usage. Keep out: SQL, findings of waste (test_waste_rules.py).
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, MONEY, TEXT
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.tenants.months import shift
from tests.support.second_opinion_marts import of_contract

RESOURCE = ["source", "sub_account_id", "service_code", "resource_id", "billing_currency"]
COLUMNS = MARTS["recent_usage"].columns
TYPES = {
    TEXT: pl.String,
    MONEY: pl.Decimal(38, 18),
    DAY: pl.Date,
    COUNT: pl.Int64,
    FLAG: pl.Boolean,
}
AMOUNTS = ("charges", "billed_cost", "effective_cost", "list_cost")
NO_IDS = ("The bill does not name the resource.", "Include resource ids in the export.")
TOO_FEW = ("The bill has fewer than 30 complete days.", "Ingest an earlier month.")


def recent_usage(days: pl.DataFrame) -> pl.DataFrame:
    """Compute what each resource used in the last 30 complete days of its source."""
    oldest = shift(days["billing_period"].max(), -2)  # type: ignore[arg-type]
    used = days.filter(
        (pl.col("billing_period") >= oldest)
        & (pl.col("charge_category") == "Usage")
        & pl.col("charge_class").is_null()
        & (pl.col("row_kind") == "line")
        & pl.col("charge_group").is_in(["usage", "commitments"])
        & pl.col("commitment_discount_status").ne_missing(pl.lit("Unused"))
    )
    windows = {source: _window(frame["charge_date"]) for (source,), frame in
               used.group_by(["source"])}  # fmt: skip
    rows = [
        row
        for key, frame in used.group_by(RESOURCE)
        for row in _of_resource(frame, *windows[key[0]])
    ]
    frame = pl.DataFrame(rows, schema={c.name: TYPES[c.type] for c in COLUMNS})
    return of_contract(frame, "recent_usage")


def _window(days: pl.Series) -> tuple[date, date, date]:
    """Return the first day of a source, and the first and last of its 30 days."""
    newest: date = days.max()  # type: ignore[assignment]
    is_over = newest.day == calendar.monthrange(newest.year, newest.month)[1]
    end = newest if is_over else newest - timedelta(1)
    return days.min(), end - timedelta(29), end  # type: ignore[return-value]


def _of_resource(used: pl.DataFrame, first: date, start: date, end: date) -> list[dict[str, Any]]:
    complete = used.filter(pl.col("charge_date") <= end)
    in_window = complete.filter(pl.col("charge_date") >= start)
    if in_window.is_empty():
        return []
    owner = _owner(complete, start)
    resource_first, resource_last = complete["charge_date"].min(), complete["charge_date"].max()
    presence = "present"
    if resource_last < end - timedelta(1):  # type: ignore[operator]
        presence = "gone"
    elif resource_first > start and first < resource_first:  # type: ignore[operator]
        presence = "young"
    gap: tuple[str | None, str | None] = (None, None)
    if used["resource_id"][0] is None:
        gap = NO_IDS
    elif first > start:
        gap = TOO_FEW
    meter = [n for n in MARTS["recent_usage"].grain if n not in RESOURCE]
    return [
        dict(zip(meter, key, strict=True))
        | {name: used[name][0] for name in RESOURCE}
        | _amounts(frame, owner)
        | {
            "project": owner,
            "meter": _without_region(key[meter.index("usage_type")]),
            "window_start": start,
            "window_end": end,
            "presence": presence,
            "gap": gap[0],
            "gap_cure": gap[1],
            "is_in_several_projects": in_window["project"].n_unique() > 1,
        }
        for key, frame in in_window.group_by(meter)
    ]


def _owner(complete: pl.DataFrame, start: date) -> str:
    """Return the project of the newest day; of several, the one with the most expensive meter."""
    meter = ["project", *MARTS["recent_usage"].grain]
    summed = complete.group_by(meter).agg(
        pl.col("charge_date").max(),
        pl.col("effective_cost").filter(pl.col("charge_date") >= start).sum(),
    )
    newest = summed.sort("charge_date", "effective_cost", "project").tail(1)
    return str(newest["project"][0])


def _amounts(lines: pl.DataFrame, owner: str) -> dict[str, Any]:
    quantities = lines["consumed_quantity"]
    is_covered = lines["commitment_discount_id"].is_not_null()
    is_spot = lines["pricing_category"].fill_null("") == "Dynamic"
    own = lines.filter(pl.col("project") == owner)
    return {
        "days": lines["charge_date"].n_unique(),
        "consumed_quantity": quantities.sum() if quantities.count() else None,
        "covered_quantity": quantities.filter(is_covered).sum() or Decimal(0),
        "spot_quantity": quantities.filter(is_spot).sum() or Decimal(0),
        "own_cost": own["effective_cost"].sum() or Decimal(0),
        **{name: lines[name].sum() for name in AMOUNTS},
    }


def _without_region(usage_type: str | None) -> str | None:
    return None if usage_type is None else re.sub("^[A-Z]{2,4}[0-9]?-", "", usage_type)
