"""Values of dimensions computed again: charge by charge in Python, added up by Polars.

Put here: an independent reading of the section `dimensions` of a tenants.yaml, as plain data. Keep
out: anything of finops_pipeline's own rules or SQL; what the results are compared with
(test_allocations.py).

It reads the published charges and, for the days of unused commitments, unused_commitment_days.
"""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

Declared = dict[str, Any]
Key = tuple[Any, ...]

COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
GROUP = (
    *("billing_period", "project", "dimension", "value", "rule"),
    *("service_name", "charge_category", "billing_currency"),
)
_COMPARED = {
    "accounts": ("sub_account_id",),
    "projects": ("project",),
    "regions": ("region_id",),
    "services": ("service_name", "service_code"),
    "resources": ("resource_id", "resource_name"),
    "charge_categories": ("charge_category",),
}
_INPUT = (
    *("billing_period", "charge_date", "project", "service_name", "service_code"),
    *("charge_category", "billing_currency", "sub_account_id", "region_id"),
    *("resource_id", "resource_name", "tags", "cost_categories"),
)
_CHARGES = """
select
    billing_period, cast(ChargePeriodStart as date) as charge_date, project,
    ServiceName as service_name, x_ServiceCode as service_code, ChargeCategory as charge_category,
    BillingCurrency as billing_currency, SubAccountId as sub_account_id, RegionId as region_id,
    ResourceId as resource_id, ResourceName as resource_name, Tags as tags,
    x_CostCategories as cost_categories, 1 as charges, BilledCost as billed_cost,
    case when x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused' then 0
    else EffectiveCost end::decimal(38, 18) as effective_cost,
    ListCost as list_cost, ContractedCost as contracted_cost
from costs
union all by name
select
    billing_period, charge_date, project, service_name, service_code, charge_category,
    billing_currency, sub_account_id, region_id, resource_id, resource_name, tags, cost_categories,
    0 as charges, 0::decimal(38, 18) as billed_cost, effective_cost,
    0::decimal(38, 18) as list_cost, 0::decimal(38, 18) as contracted_cost
from unused_commitment_days
"""


def read_charges(folder: Path) -> pl.DataFrame:
    """Charges of a tenant's file, the unused part of commitments on its days."""
    with duckdb.connect(
        str(folder / f"{folder.name.partition('=')[2]}.duckdb"), read_only=True
    ) as db:
        return pl.DataFrame(db.sql(_CHARGES).to_arrow_table())


def add_up(charges: pl.DataFrame, section: Declared, labels: dict[str, Declared]) -> dict[Key, Key]:
    """Costs by `GROUP`, computed from every distinct kind of charge; labels: project -> labels."""
    result: dict[Key, Key] = {}
    kinds = charges.select(_INPUT).unique()
    names = [name if isinstance(name, str) else name["name"] for name in section.get("names", ())]
    for dimension in names:
        values = [_value(dimension, kind, section, labels) for kind in kinds.iter_rows(named=True)]
        allocated = kinds.with_columns(
            pl.lit(dimension).alias("dimension"),
            pl.Series("value", [value for value, _ in values], pl.String),
            pl.Series("rule", [rule for _, rule in values], pl.String),
        )
        joined = charges.join(allocated, on=list(_INPUT), how="inner", nulls_equal=True)
        summed = joined.group_by(GROUP).agg(
            pl.col("charges").cast(pl.Int64).sum(), *(pl.col(name).sum() for name in COSTS)
        )
        for row in summed.iter_rows():
            result[row[: len(GROUP)]] = row[len(GROUP) :]
    return result


def _value(
    dimension: str, charge: dict[str, Any], section: Declared, labels: dict[str, Declared]
) -> tuple[str | None, str | None]:
    """The value of one charge and the rule that gives it."""
    for rule in _in_order(section):
        if rule["dimension"] == dimension and _is_met(rule, charge, section):
            value = rule.get("value") or _taken(rule["value_from"], charge, section)
            if value:
                return _mapped(value, section.get("mappings", {}).get(rule.get("mapping"), {})), (
                    rule["name"]
                )
    if dimension in ("environment", "business_unit"):
        label = labels.get(charge["project"], {}).get(dimension)
        if label:
            return label, "(project)"
    return None, None


def _in_order(section: Declared) -> list[Declared]:
    return sorted(section.get("rules", ()), key=lambda rule: rule.get("priority", 0))


def _is_met(rule: Declared, charge: dict[str, Any], section: Declared) -> bool:
    year, month = map(int, charge["billing_period"].split("-"))
    last = date(year, month, monthrange(year, month)[1])
    day = min(max(charge["charge_date"], date(year, month, 1)), last)
    if not rule.get("from", date.min) <= day < rule.get("to", date.max):
        return False
    for field, wished in rule.get("when", {}).items():
        if field in ("tags", "cost_categories"):
            kind = {"tags": "tag", "cost_categories": "cost_category"}[field]
            for key, patterns in wished.items():
                value = _taken(f"{kind} {key}", charge, section)
                if not value or not _is_like(value, patterns):
                    return False
        elif not any(charge[c] and _is_like(charge[c], wished) for c in _COMPARED[field]):
            return False
    return True


def _is_like(value: str, patterns: str | list[str]) -> bool:
    """Whether a value is one of the patterns, the parts between `*` looked for one by one."""
    return any(
        _is_one(value, each) for each in ([patterns] if isinstance(patterns, str) else patterns)
    )


def _is_one(value: str, pattern: str) -> bool:
    first, *others = pattern.split("*")
    if not others:
        return value == pattern
    if not value.startswith(first):
        return False
    place = len(first)
    for part in others[:-1]:
        place = value.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return len(value) - len(others[-1]) >= place and value.endswith(others[-1])


def _taken(source: str, charge: dict[str, Any], section: Declared) -> str | None:
    """The charge's own value of `tag KEY` or `cost_category KEY`, in any declared spelling."""
    kind, _, key = source.partition(" ")
    text = charge["tags" if kind == "tag" else "cost_categories"]
    values = {
        k: v.strip() for k, v in (json.loads(text) if text else {}).items() if v and v.strip()
    }
    for spelling in _spellings(key, section) if kind == "tag" else [key]:
        for own in sorted(values):
            is_same = own == key if spelling is None or kind != "tag" else _plain(own) == spelling
            if is_same:
                return values[own]
    return None


def _spellings(key: str, section: Declared) -> Iterator[str | None]:
    for text, others in section.get("tag_keys", {}).items():
        every = [text, *([others] if isinstance(others, str) else others)]
        if _plain(key) in map(_plain, every):
            yield from map(_plain, every)
            return
    yield None


def _plain(key: str) -> str:
    return "".join(c for c in key.lower() if c not in "-_ ")


def _mapped(value: str, mapping: dict[str, Any]) -> str:
    for text, others in mapping.items():
        every = [text, *([others] if isinstance(others, str) else others)]
        if value.lower() in (each.strip().lower() for each in every):
            return str(text)
    return value


def as_text(costs: dict[Key, Key]) -> dict[Key, Key]:
    """The same with amounts as exact text."""
    return {
        key: tuple(f"{v:.18f}" if isinstance(v, Decimal) else v for v in amounts)
        for key, amounts in costs.items()
    }
