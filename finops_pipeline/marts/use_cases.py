"""The library of queries: plain .sql files over a tenant's file, each for a FinOps question.

Put here: reading their heads, binding their parameters. Keep out: running them
(cli/query_library.py), marts and checks (library.py).

Most questions come from the FOCUS use case library (https://focus.finops.org/use-cases); the SQL
is our own. Every query has the parameters `$from` (first day) and `$to` (first day after);
a head's `parameters` are additional. Values are bound, never written into the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from finops_pipeline.errors import QueryRefused, Unknown, did_you_mean
from finops_pipeline.marts.library import head
from finops_pipeline.tenants.months import check_month, end_day, first_day

_FOLDER = resources.files("finops_pipeline.marts") / "queries"
_PATTERNS = {
    "amount": re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?"),
    "count": re.compile(r"[0-9]{1,18}"),
    "factor": re.compile(r"[0-9]{1,6}(\.[0-9]{1,2})?"),
}
_EXPECTED = {
    "amount": "an amount such as 2.5",
    "count": "a whole number such as 10",
    "factor": "a number such as 2.5",
}


@dataclass(frozen=True)
class UseCase:
    """One query and its own parameters (`from` and `to` are not among them).

    `parameters`: name -> default value. `values`: name -> what the parameter accepts: `text`,
    `amount`, `count`, `factor`, `month` (which may be empty), or words separated by `|`.
    """

    name: str
    sql: str
    meaning: str
    source: str
    grain: tuple[str, ...]
    money: str
    parameters: Mapping[str, str]
    values: Mapping[str, str]


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
    return UseCase(
        name,
        sql,
        lines[name],
        lines["use case"],
        tuple(lines["grain"].split(", ")),
        lines["money"],
        _read_pairs(lines.get("parameters", "")),
        _read_pairs(lines.get("values", "")),
    )


def _read_pairs(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    return {key.strip(): value.strip() for key, _, value in pairs}


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
        QueryRefused: the query has no such parameter, or the parameter does not take such a value.
        RegistryError: a billing period is not of the form YYYY-MM.
    """
    for name, value in given.items():
        if name not in query.parameters:
            names = ", ".join(query.parameters)
            raise QueryRefused(
                f"query {query.name} has no parameter {name!r}",
                f"one of its parameters: {names}" if names else "only --from and --to",
                did_you_mean(name, query.parameters)
                + "List the queries and their parameters: finops queries",
            )
        _check_value(query, name, value)
    return {
        "from": first_day(first) if first else date.min,
        "to": end_day(last) if last else date.max,
        **query.parameters,
        **given,
    }


def _check_value(query: UseCase, name: str, value: str) -> None:
    takes = query.values[name]
    words = takes.split(" | ")
    if takes == "month":
        if value:
            check_month(value)
    elif takes in _PATTERNS:
        if not _PATTERNS[takes].fullmatch(value):
            raise _refuse_value(query, name, value, _EXPECTED[takes])
    elif takes != "text" and value not in words:
        raise _refuse_value(query, name, value, f"one of {', '.join(words)}")


def _refuse_value(query: UseCase, name: str, value: str, expected: str) -> QueryRefused:
    words = query.values[name].split(" | ")
    return QueryRefused(
        f"{value!r} is not a value of the parameter {name!r} of query {query.name}",
        expected,
        did_you_mean(value, words) + f"Show the query: finops queries show {query.name}",
    )
