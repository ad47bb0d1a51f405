"""The library of queries: plain .sql files over a tenant's file, each for a FinOps question.

Put here: reading their heads, binding their parameters. Keep out: running them
(cli/query_library.py), marts and checks (library.py).

Most questions come from the FOCUS use case library (https://focus.finops.org/use-cases); the SQL
is our own. Every query has the parameters `$from` (first day) and `$to` (first day after);
a head's `parameters` are additional. Values are bound, never written into the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from finops_pipeline.errors import QueryRefused, Unknown, did_you_mean
from finops_pipeline.marts.library import head
from finops_pipeline.tenants.months import end_day, first_day

_FOLDER = resources.files("finops_pipeline.marts") / "queries"


@dataclass(frozen=True)
class UseCase:
    """One query; `parameters`: name -> default value (`from` and `to` are not among them)."""

    name: str
    sql: str
    meaning: str
    source: str
    grain: tuple[str, ...]
    money: str
    parameters: Mapping[str, str]


@cache
def use_cases() -> tuple[UseCase, ...]:
    """List all queries, by name."""
    files = sorted(_FOLDER.iterdir(), key=lambda file: file.name)
    return tuple(
        _read(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def _read(name: str, sql: str) -> UseCase:
    lines = head(sql)
    parameters = [part.partition("=") for part in lines.get("parameters", "").split(",") if part]
    return UseCase(
        name,
        sql,
        lines[name],
        lines["use case"],
        tuple(lines["grain"].split(", ")),
        lines["money"],
        {key.strip(): value.strip() for key, _, value in parameters},
    )


def use_case(name: str) -> UseCase:
    """Look up a query by its name.

    Raises:
        Unknown: the library has no query of that name.
    """
    for query in use_cases():
        if query.name == name:
            return query
    raise Unknown(
        f"query {name!r} is not in the library",
        cure=did_you_mean(name, [query.name for query in use_cases()])
        + "List the queries: finops queries",
    )


def bind_parameters(
    query: UseCase, first: str | None, last: str | None, given: Mapping[str, str]
) -> dict[str, date | str]:
    """Return the values of a query's parameters.

    Args:
        first, last: billing periods YYYY-MM, both included; None: unbounded.
        given: values for the query's own parameters, by name.

    Raises:
        QueryRefused: the query has no such parameter.
        RegistryError: a billing period is not of the form YYYY-MM.
    """
    for name in given:
        if name not in query.parameters:
            names = ", ".join(query.parameters)
            raise QueryRefused(
                f"query {query.name} has no parameter {name!r}",
                f"one of its parameters: {names}" if names else "only --from and --to",
                did_you_mean(name, query.parameters)
                + "List the queries and their parameters: finops queries",
            )
    return {
        "from": first_day(first) if first else date.min,
        "to": end_day(last) if last else date.max,
        **query.parameters,
        **given,
    }
