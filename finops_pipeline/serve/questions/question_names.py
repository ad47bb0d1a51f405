"""The values that filters name, as the tenant's file has them: "Production" becomes `prod`.

Put here: matching what was typed with the names in the file that the caller may read, and nothing
else. Keep out: which fields there are (question_fields.py), conditions as SQL (question_sql.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property

from finops_pipeline.contracts.services import SERVICES
from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.serve.questions.question import Filter
from finops_pipeline.serve.questions.question_fields import CostField, FieldKind
from finops_pipeline.serve.sandbox import Sandbox

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


class Spellings:
    """What can be typed for the values of one field.

    Args:
        field: name of the field.
        rows: each value and its other name (None: it has none).
    """

    def __init__(self, field: str, rows: Sequence[tuple[str, str | None]]) -> None:
        self._field = field
        self.values = sorted({value for value, _ in rows})
        self._by_case: dict[str, set[str]] = {}
        self._by_name: dict[str, set[str]] = {}
        for value, other_name in rows:
            self._by_case.setdefault(value.casefold(), set()).add(value)
            for name in filter(None, (other_name, *_further_names(field, value))):
                self._by_name.setdefault(name.casefold(), set()).add(value)

    def resolve(self, typed: str) -> list[str]:
        """Return the values that are meant: several if they differ in upper and lower case only.

        Raises:
            Unknown: there is no such value; the cure names one that is close.
            QueryRefused: it is another name of several values.
        """
        if typed in self.values:
            return [typed]
        if typed.casefold() in self._by_case:
            return sorted(self._by_case[typed.casefold()])
        named = sorted(self._by_name.get(typed.casefold(), ()))
        if len(named) > 1:
            raise QueryRefused(
                f"{self._field} {typed[:200]!r} can mean {' or '.join(named)}", "one of them"
            )
        if not named:
            raise self._refuse(typed)
        return named

    def _refuse(self, typed: str) -> Unknown:
        shown = ", ".join(self.values[:_SHOWN_NAMES])
        rest = len(self.values) - _SHOWN_NAMES
        more = f" and {rest} more" if rest > 0 else ""
        spellings = {**self._by_name, **self._by_case}
        close = get_close_matches(typed.casefold(), sorted(spellings), n=1)
        return Unknown(
            f"there is no {self._field} {typed[:200]!r}",
            f"one of {shown}{more}" if self.values else "",
            f"Did you mean {min(spellings[close[0]])}?" if close else "",
        )


class FileNames:
    """The names in a tenant's file, read when they are first needed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._read: dict[str, Spellings] = {}

    def of_field(self, field: CostField) -> Spellings | None:
        """Return what can be typed for a field; None if it is any text."""
        query = _NAME_QUERIES.get(field.name) if field.kind is FieldKind.COLUMN else None
        if query is None:
            return None
        if field.name not in self._read:
            self._read[field.name] = Spellings(field.name, self._sandbox.execute(query).fetchall())
        return self._read[field.name]

    @cached_property
    def dimensions(self) -> list[str]:
        """The dimensions that tenants.yaml declares."""
        query = "select dimension from dimensions order by 1"
        return [name for (name,) in self._sandbox.execute(query).fetchall()]


def _further_names(field: str, value: str) -> list[str]:
    if field == "environment":
        words = next((group for group in _ENVIRONMENTS if value.casefold() in group), ())
        return list(words)
    if field == "service":
        codes = [code for code, name, *_ in SERVICES if name == value]
        return [*codes, *(code.removeprefix("Amazon").removeprefix("AWS") for code in codes)]
    return []


def resolve_filter(filter: Filter, field: CostField, names: FileNames) -> Filter:
    """Return the filter with the values as the tenant's file has them.

    Raises:
        Unknown: a value is not among the names; the cure names one that is close.
        QueryRefused: a value is another name of several values.
    """
    spellings = names.of_field(field)
    if spellings is None:
        return filter
    values = [
        value for typed in filter.values for value in (spellings.resolve(typed) if typed else [""])
    ]
    return filter.model_copy(update={"values": tuple(dict.fromkeys(values))})
