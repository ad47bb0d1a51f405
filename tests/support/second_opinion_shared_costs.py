"""Shared costs computed again: charges added up by Polars, split by Python's whole numbers.

Put here: an independent reading of the section `shared_costs` of a tenants.yaml, as plain data.
Keep out: anything of finops_pipeline's own rules or SQL; what the results are compared with
(test_shared_costs.py).
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import polars as pl

from finops_pipeline.lake.layout import TenantFolder
from tests.support.mart_comparison import Row, read_charges
from tests.support.second_opinion_marts import charge_group

UNIT = 10**18
COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
_INPUT = {
    "billing_period": "billing_period", "project": "project", "BillingCurrency": "currency",
    "x_LineItemType": "line_item_type", "ChargeCategory": "charge_category",
    "ChargeFrequency": "charge_frequency", "ChargeClass": "charge_class",
    "PublisherName": "publisher_name", "x_BillingEntity": "billing_entity",
    "x_ServiceCode": "service_code", "ServiceName": "service_name", "x_RowKind": "row_kind",
    "CommitmentDiscountId": "commitment_discount_id",
    "CommitmentDiscountStatus": "commitment_discount_status",
    "BilledCost": "billed_cost", "EffectiveCost": "effective_cost", "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
}  # fmt: skip
Units = dict[str, int]
"""Project -> amount in units of 10^-18."""


def expected_shared_costs(
    folder: TenantFolder,
    section: list[dict[str, Any]],
    metrics: dict[tuple[str, str, str], Decimal],
) -> list[Row]:
    """shared_costs of a tenant; metrics: (metric, project, month) -> sum of the month."""
    charges = read_charges(folder, _INPUT).rename(_INPUT)
    names = [name for name in _INPUT.values() if name not in COSTS]
    kinds = charges.select(names).unique()
    found = [_kind(row) for row in kinds.iter_rows(named=True)]
    named = kinds.with_columns(pl.Series("kind", found))
    joined = charges.join(named, on=names, nulls_equal=True)
    summed = joined.group_by("billing_period", "currency", "project", "kind").agg(
        *(pl.col(name).sum() for name in COSTS)
    )
    rows = list[Row]()
    cells = summed.rows(named=True)
    for month, currency in sorted({(c["billing_period"], c["currency"]) for c in cells}):
        own = [c for c in cells if (c["billing_period"], c["currency"]) == (month, currency)]
        valid = [e for e in section if e.get("from", "") <= month < e.get("to", "9999-99")]
        of_month = {(m, p): value for (m, p, when), value in metrics.items() if when == month}
        for row in _split_month(own, valid, section, of_month):
            rows.append({"billing_period": month, "billing_currency": currency, **row})
    return rows


def _kind(row: Row) -> str:
    is_unused = row["row_kind"] == "unused" or row["commitment_discount_status"] == "Unused"
    return "unused_commitments" if is_unused else charge_group(row)


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _units(amount: Decimal) -> int:
    return int(amount.scaleb(18))


def _split_month(
    cells: list[Row], valid: list[Row], section: list[Row], metrics: dict[tuple[str, str], Decimal]
) -> list[Row]:
    owner = {id(cell): _taker(cell, valid) for cell in cells}
    free = defaultdict[str, int](int)
    of_kinds = {entry["name"] for entry in section if "kinds" in entry}
    for cell in cells:
        is_own = owner[id(cell)] not in of_kinds
        free[cell["project"]] += _units(cell["effective_cost"]) if is_own else 0
    received: dict[str, dict[str, Units]] = {}
    rows = list[Row]()
    for entry in _chained(valid, section):
        name = entry["name"]
        given: dict[str, Units] = {cost: {} for cost in COSTS}
        for cell in cells:
            if owner[id(cell)] == name:
                for cost in COSTS:
                    _add(given[cost], cell["project"], _units(cell[cost]))
        for other in _names(entry.get("after")):
            for cost in COSTS:
                for project, amount in received.get(other, {}).get(cost, {}).items():
                    if project in entry["projects"]:
                        _add(given[cost], project, amount)
        if not given["billed_cost"]:
            continue
        basis, note = _basis(entry, valid, dict(free), metrics)
        shares = _largest_remainders(UNIT, basis) if basis else {}
        received[name] = {
            cost: _divide(sum(given[cost].values()), shares) if shares else dict(given[cost])
            for cost in COSTS
        }
        for direction, sign, parts in (("given", -1, given), ("received", 1, received[name])):
            for project in parts["billed_cost"]:
                has_share = direction == "received" and bool(shares)
                rows.append({
                    "shared_cost": name, "direction": direction, "project": project,
                    "method": entry["method"],
                    "basis": Decimal(basis[project]).scaleb(-18) if has_share else None,
                    "share": Decimal(shares[project]).scaleb(-18) if has_share else None,
                    **{c: Decimal(sign * parts[c][project]).scaleb(-18) for c in COSTS},
                    "note": note if direction == "received" else None,
                })  # fmt: skip
    return rows


def _taker(cell: Row, valid: list[Row]) -> str | None:
    for entry in valid:
        of_kind = "kinds" not in entry or cell["kind"] in _names(entry["kinds"])
        if of_kind and ("projects" not in entry or cell["project"] in _names(entry["projects"])):
            return str(entry["name"])
    return None


def _chained(valid: list[Row], section: list[Row]) -> list[Row]:
    """The entries, each after those that it passes on."""
    done, result = set[str](), list[Row]()
    while len(done) < len(section):
        for entry in section:
            if entry["name"] not in done and set(_names(entry.get("after"))) <= done:
                done.add(entry["name"])
                result += [entry] if entry in valid else []
    return result


def _basis(
    entry: Row, section: list[Row], free: Units, metrics: dict[tuple[str, str], Decimal]
) -> tuple[Units, str | None]:
    listed = list(entry.get("shares", {})) or _names(entry.get("receivers"))
    names = listed or [p for p in free if p != "unassigned" and not _is_shared(p, entry, section)]
    basis: Units = {}
    for name in names:
        match entry["method"]:
            case "even":
                basis[name] = UNIT
            case "fixed":
                basis[name] = _units(Decimal(str(entry["shares"][name])))
            case "proportional":
                basis[name] = max(free.get(name, 0), 0)
            case "metric":
                basis[name] = _units(metrics.get((entry["metric"], name), Decimal(0)))
    if any(basis.values()):
        return {name: value for name, value in basis.items() if value}, None
    if basis and entry.get("otherwise") == "even":
        return dict.fromkeys(basis, UNIT), "no receiver has a basis: split evenly"
    return {}, "no receiver has a basis: the cost stays where it is"


def _is_shared(project: str, entry: Row, section: list[Row]) -> bool:
    for other in section:
        is_whole = "kinds" not in other and project in _names(other.get("projects"))
        if is_whole and entry["name"] not in _names(other.get("after")):
            return True
    return False


def _add(units: Units, project: str, amount: int) -> None:
    units[project] = units.get(project, 0) + amount


def _largest_remainders(whole: int, weights: Units) -> Units:
    total = sum(weights.values())
    parts = {name: whole * weight // total for name, weight in weights.items()}
    order = sorted(weights, key=lambda name: (-(whole * weights[name] % total), name))
    for name in order[: whole - sum(parts.values())]:
        parts[name] += 1
    return parts


def _divide(amount: int, shares: Units) -> Units:
    parts = _largest_remainders(abs(amount), shares)
    return {name: part if amount >= 0 else -part for name, part in parts.items()}
