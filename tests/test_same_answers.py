"""One question, one number: the API, `finops costs` and an analyst's own SQL agree.

Put here: random questions through all doorways, for two tenants. Keep out: whether the number is
that of the charges (test_cost_questions.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.random_questions import FIELDS, random_question
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

QUESTIONS = 200
ON_THE_COMMAND_LINE = 10
"""Of so many questions one is also asked on the command line, which takes ten times as long."""

MEASURES = {"usage": "consumed_quantity", "charges": "charges"}
Sums = dict[tuple[Any, ...], Decimal | None]


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served by one process."""
    data = tmp_path_factory.mktemp("served") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000) as served:
        yield served


def run_sql(
    served: ServedTenants, tenant: str, sql: str, values: dict[str, Any]
) -> list[list[Any]]:
    body = {"sql": sql, "values": values, "limit": 10_000}
    response = served.post(f"/tenants/{tenant}/sql", tenant, json=body)
    answer = response.json()
    assert response.status_code == 200, (sql, answer)
    assert not answer["truncated"]
    rows: list[list[Any]] = answer["rows"]
    return rows


def column_of(field: str) -> str:
    """Write a field as a column of resource_daily_costs."""
    kind, _, key = field.partition(":")
    column = FIELDS[field]
    return f"nullif(json_extract_string(tags, '$.\"{key}\"'), '')" if kind == "tag" else column


def plain_sql(question: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the SQL that an analyst would write, and the values of its parameters."""
    measure = MEASURES.get(question["metric"], f"{question['basis']}_cost")
    first, last = question["start"], question["end"]
    is_by_month = len(first) == 7
    if not is_by_month and first[8:] == "01":
        day_after = date.fromisoformat(last) + timedelta(days=1)
        if day_after.day == 1:  # days that are whole months count as months
            first, last, is_by_month = first[:7], last[:7], True
    values: dict[str, Any] = {"first": first, "last": last}
    day = "billing_period" if is_by_month else "charge_date::varchar"
    conditions = [f"{day} between $first and $last"]
    for number, condition in enumerate(question["filters"]):
        names = []
        for position, value in enumerate(condition["values"]):
            names.append(f"$v{number}_{position}")
            values[names[-1][1:]] = value
        test = f"coalesce({column_of(condition['field'])}, '') in ({', '.join(names)})"
        conditions.append(f"not {test}" if condition["is_excluded"] else test)
    month = "billing_period" if len(question["start"]) == 7 else "left(charge_date::varchar, 7)"
    period = {"total": [], "day": ["charge_date::varchar"], "month": [month]}
    keys = [*period[question["granularity"]], *map(column_of, question["group_by"])]
    if question["metric"] == "usage":
        keys.append("consumed_unit")
        conditions.append("consumed_quantity is not null")
    names = [f"{key} as k{number}" for number, key in enumerate([*keys, "billing_currency"])]
    total = f"case when count({measure}) = count(*) then sum({measure}) end"
    sql = f"select {', '.join(names)}, {total} from resource_daily_costs"
    return f"{sql} where {' and '.join(conditions)} group by all", values


def sums_of(rows: list[list[Any]]) -> Sums:
    """Return the last column of rows by the others."""
    sums = {tuple(row[:-1]): None if row[-1] is None else Decimal(str(row[-1])) for row in rows}
    assert len(sums) == len(rows)
    return sums


def on_the_command_line(tenant: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a question with `finops costs`."""
    arguments = ["--from", question["start"], "--to", question["end"], "--format", "json"]
    for option in ("metric", "basis", "granularity", "order", "limit"):
        if question[option] is not None:
            arguments += [f"--{option}", str(question[option])]
    for field in question["group_by"]:
        arguments += ["--by", field]
    for condition in question["filters"]:
        sign = "!=" if condition["is_excluded"] else "="
        for value in condition["values"]:
            arguments += ["--where", f"{condition['field']}{sign}{value}"]
    code, output = finops("costs", tenant, *arguments)
    assert code == 0, output
    answer: dict[str, Any] = json.loads(output.splitlines()[0], parse_float=Decimal)
    return answer


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_doorway_gives_the_same_number(
    served: ServedTenants, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(f"doorways of {tenant}")
    monkeypatch.setenv("FINOPS_DATA", str(served.installation.settings.data))

    def values_of(field: str) -> list[str]:
        column = column_of(field)
        sql = f"select distinct {column} from resource_daily_costs where {column} <> '' order by 1"
        return [value for (value,) in run_sql(served, tenant, sql, {})]

    amounts = 0
    for number in range(QUESTIONS):
        question = random_question(source, values_of)
        if question.pop("compare_to", None):
            question["order"] = "largest"
        response = served.post(f"/tenants/{tenant}/costs", tenant, json=question)
        answer = response.json()
        assert response.status_code == 200, answer
        by_api = sums_of([list(row.values()) for row in answer["rows"]])
        by_sql = sums_of(run_sql(served, tenant, *plain_sql(question)))
        assert by_api.items() <= by_sql.items(), (number, question)
        if question["limit"] is None:
            assert by_api == by_sql, (number, question)
        if number % ON_THE_COMMAND_LINE == 0:
            shown = on_the_command_line(tenant, question)
            assert sums_of([list(row.values()) for row in shown["rows"]]) == by_api
        amounts += len(by_api)
    assert amounts > 10 * QUESTIONS, "the questions are about charges that there are"
