"""The values that filters name, as the tenant's file has them: "Production" becomes `prod`.

Put here: matching what was typed with the names in the file that the caller may read, and nothing
else. Keep out: which fields there are (question_fields.py), conditions as SQL (question_sql.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from finops_pipeline.contracts.services import SERVICES
from finops_pipeline.errors import Unknown, did_you_mean
from finops_pipeline.lake.duck import Reader
from finops_pipeline.serve.questions.question import Filter
from finops_pipeline.serve.questions.question_fields import CostField, FieldKind

_SHOWN_NAMES = 12
_ENVIRONMENTS = (
    ("prod", "production", "prd", "live"),
    ("staging", "stage", "stg", "preprod", "pre-production"),
    ("dev", "development"),
    ("test", "testing", "qa"),
)
"""Words for the same environment; what a tenant calls it decides which one is meant."""

_NAME_QUERIES = {
    "project": "select project, display_name from projects",
    "environment": "select distinct environment, null from projects where environment is not null",
    "business_unit": (
        "select distinct business_unit, null from projects where business_unit is not null"
    ),
    "account": (
        "select sub_account_id, arg_max(sub_account_name, billing_period)"
        " from (select sub_account_id, sub_account_name, billing_period from account_names"
        " union all select distinct sub_account_id, null, billing_period from monthly_costs)"
        " where sub_account_id is not null group by all"
    ),
    "region": "select distinct region_id, null from monthly_costs where region_id is not null",
    "service": "select distinct service_name, null from monthly_costs",
    "charge_category": "select distinct charge_category, null from monthly_costs",
    "charge_group": "select distinct charge_group, null from charge_groups",
}
"""Fields whose values are few and have names: value and its other name."""


class NamedValues(Protocol):
    """What `resolve_filter` needs to know of a tenant's file."""

    def of_field(self, field: CostField) -> Mapping[str, str] | None:
        """Return what can be typed -> value, or None for a field with values of any text."""


class FileNames:
    """The names in a tenant's file, read when they are first needed."""

    def __init__(self, connection: Reader) -> None:
        self._connection = connection
        self._read: dict[str, dict[str, str]] = {}

    def of_field(self, field: CostField) -> Mapping[str, str] | None:
        """Return what can be typed, in lower case -> value; None if any text can be typed."""
        query = _NAME_QUERIES.get(field.name) if field.kind is FieldKind.COLUMN else None
        if query is None:
            return None
        if field.name not in self._read:
            self._read[field.name] = _spellings(
                field.name, self._connection.execute(query).fetchall()
            )
        return self._read[field.name]

    @cached_property
    def dimensions(self) -> list[str]:
        """The dimensions that tenants.yaml declares."""
        rows = self._connection.execute("select dimension from dimensions order by 1").fetchall()
        return [name for (name,) in rows]


def _spellings(field: str, rows: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Return every spelling of the values that means one of them only."""
    meanings: dict[str, set[str]] = {}
    for value, other_name in rows:
        for spelling in (value, other_name, *_further_names(field, value)):
            if spelling:
                meanings.setdefault(spelling.casefold(), set()).add(value)
    exact = {value.casefold(): value for value, _ in rows}
    unique = {typed: next(iter(values)) for typed, values in meanings.items() if len(values) == 1}
    return {**unique, **exact}


def _further_names(field: str, value: str) -> list[str]:
    if field == "environment":
        words = next((group for group in _ENVIRONMENTS if value.casefold() in group), ())
        return list(words)
    if field == "service":
        codes = [code for code, name, *_ in SERVICES if name == value]
        return [*codes, *(code.removeprefix("Amazon").removeprefix("AWS") for code in codes)]
    return []


def resolve_filter(filter: Filter, field: CostField, names: NamedValues) -> Filter:
    """Return the filter with the values as the tenant's file has them.

    Raises:
        Unknown: a value is not among the names; the cure names those that are close.
    """
    spellings = names.of_field(field)
    if spellings is None:
        return filter
    values = [_resolve(value, field, spellings) for value in filter.values]
    return Filter(
        field=filter.field, values=tuple(dict.fromkeys(values)), is_excluded=filter.is_excluded
    )


def _resolve(value: str, field: CostField, spellings: Mapping[str, str]) -> str:
    if not value or value in spellings.values():
        return value
    if value.casefold() in spellings:
        return spellings[value.casefold()]
    existing = sorted(set(spellings.values()))
    shown = ", ".join(existing[:_SHOWN_NAMES])
    rest = len(existing) - _SHOWN_NAMES
    more = f" and {rest} more" if rest > 0 else ""
    raise Unknown(
        f"there is no {field.name} {value[:200]!r}",
        f"one of {shown}{more}" if existing else "",
        _suggest(value, spellings),
    )


def _suggest(value: str, spellings: Mapping[str, str]) -> str:
    close = did_you_mean(value.casefold(), spellings).rstrip()
    if not close:
        return ""
    typed = close.removeprefix("Did you mean ").removesuffix("?")
    return f"Did you mean {spellings[typed]}?"
