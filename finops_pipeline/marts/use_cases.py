"""The library of queries: plain .sql files over a tenant's file, each a question of FinOps work.

Put here: reading their heads, and the values their parameters get. Keep out: running them
(cli/query_library.py), marts and checks (library.py).

The questions are those of the FOCUS use case library (https://focus.finops.org/use-cases); the
SQL is our own. Every query has the parameters `$from` (first day) and `$to` (first day after);
those of a head's `parameters` come on top. Values are bound, never written into the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.marts.library import head
from finops_pipeline.tenants.months import end_day, first_day

_FOLDER = resources.files("finops_pipeline.marts") / "queries"


@dataclass(frozen=True)
class UseCase:
    """One query. `parameters`: name -> value when none is given (besides from and to)."""

    name: str
    sql: str
    meaning: str
    source: str
    grain: tuple[str, ...]
    money: str
    parameters: Mapping[str, str]


@cache
def use_cases() -> tuple[UseCase, ...]:
    """All queries, by name."""
    files = sorted(_FOLDER.iterdir(), key=lambda file: file.name)
    return tuple(
        _read(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def _read(name: str, sql: str) -> UseCase:
    said = head(sql)
    given = [word.partition("=") for word in said.get("parameters", "").split(",") if word]
    return UseCase(
        name,
        sql,
        said[name],
        said["use case"],
        tuple(said["grain"].split(", ")),
        said["money"],
        {key.strip(): value.strip() for key, _, value in given},
    )


def use_case(name: str) -> UseCase:
    """The query of a name.

    Raises:
        Unknown: there is none.
    """
    for found in use_cases():
        if found.name == name:
            return found
    raise Unknown(f"query {name!r} is not in the library", cure="finops queries lists them")


def bound(
    query: UseCase, first: str | None, last: str | None, given: Mapping[str, str]
) -> dict[str, date | str]:
    """The values of a query's parameters.

    Args:
        first, last: billing periods YYYY-MM, both included; None: without that end.
        given: values for the query's own parameters, by name.

    Raises:
        QueryRefused: a parameter that the query does not have.
        RegistryError: a month that is none.
    """
    for name in given:
        if name not in query.parameters:
            has = ", ".join(query.parameters) or "only --from and --to"
            raise QueryRefused(f"query {query.name} has no parameter {name!r}", has)
    return {
        "from": first_day(first) if first else date.min,
        "to": end_day(last) if last else date.max,
        **query.parameters,
        **given,
    }
