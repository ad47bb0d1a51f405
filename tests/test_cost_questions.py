"""`finops costs` against sums that Polars computes from the charges, for two tenants.

Put here: random questions, one tenant beside another, what an answer says about itself. Keep out:
periods and words alone (test_questions_unit.py), the marts (test_second_opinions.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pytest

from finops_pipeline import clock
from finops_pipeline.errors import FinopsError, Unknown
from finops_pipeline.serve.questions import cost_answer
from finops_pipeline.serve.questions.cost_answer import CostAsker, open_costs
from finops_pipeline.serve.questions.question import read_question
from finops_pipeline.tenants.months import shift
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.globex import finops
from tests.support.random_questions import FIELDS, random_question
from tests.support.second_opinion_marts import read_charges, resource_daily_costs

TENANTS = ("acme", "globex")
QUESTIONS = 200


@pytest.fixture(scope="module")
def days(built: TemporaryInstallation) -> dict[str, pl.DataFrame]:
    """Costs by day and resource, computed from the charges without DuckDB."""
    frames = {}
    for tenant in TENANTS:
        declared = built.installation.registry.tenant(tenant)
        frame = resource_daily_costs(read_charges(built.folder(tenant)), declared)
        tags = [json.loads(text or "{}") for text in frame["tags"]]
        frames[tenant] = frame.with_columns(
            pl.Series(f"tag:{key}", [of_row.get(key) or None for of_row in tags], dtype=pl.String)
            for key in ("Team", "aws:createdBy")
        )
    return frames


@pytest.fixture(scope="module")
def askers(built: TemporaryInstallation) -> Iterator[dict[str, CostAsker]]:
    """Both tenants, open for questions at the same time."""
    with (
        open_costs(built.installation, "acme") as acme,
        open_costs(built.installation, "globex") as globex,
    ):
        yield {"acme": acme, "globex": globex}


def values_of(frame: pl.DataFrame, field: str) -> list[str]:
    """List the values of a field."""
    values: list[str] = frame[FIELDS[field]].unique().drop_nulls().sort().to_list()
    return values


def expected(frame: pl.DataFrame, question: dict[str, Any]) -> dict[tuple[Any, ...], Any]:
    """Sum what a question asks for: key of a group -> sum, or sums before and now."""
    measure = {"cost": f"{question['basis']}_cost", "usage": "consumed_quantity",
               "charges": "charges"}[question["metric"]]  # fmt: skip
    for condition in question["filters"]:
        column = pl.col(FIELDS[condition["field"]])
        is_listed = column.is_in([v for v in condition["values"] if v]).fill_null(False)
        if "" in condition["values"]:
            is_listed = is_listed | column.is_null()
        frame = frame.filter(~is_listed if condition["is_excluded"] else is_listed)
    if measure == "consumed_quantity":
        frame = frame.filter(pl.col(measure).is_not_null())
    periods = [of_period(question)]
    if "compare_to" in question:
        periods.insert(0, before(*periods[0]))
    sums = [summed(within(frame, *period), question, measure) for period in periods]
    keys = {key for of_period_ in sums for key in of_period_}
    nothing = 0 if measure == "charges" else Decimal(0)
    if len(sums) == 1:
        return {key: sums[0][key] for key in keys}
    return {key: tuple(of.get(key, nothing) for of in sums) for key in keys}


def of_period(question: dict[str, Any]) -> tuple[Any, Any]:
    if len(question["start"]) == 7:
        return question["start"], question["end"]
    return date.fromisoformat(question["start"]), date.fromisoformat(question["end"])


def before(first: Any, last: Any) -> tuple[Any, Any]:
    """Return the period as long, right before."""
    if isinstance(first, date):
        length = last - first + timedelta(days=1)
        return first - length, last - length
    count = 1
    while shift(first, count) <= last:
        count += 1
    return shift(first, -count), shift(first, -1)


def within(frame: pl.DataFrame, first: Any, last: Any) -> pl.DataFrame:
    # Days that are whole months count as months.
    if isinstance(first, date):
        if first.day == 1 and (last + timedelta(days=1)).day == 1:
            first, last = f"{first:%Y-%m}", f"{last:%Y-%m}"
            return frame.filter(pl.col("billing_period").is_between(pl.lit(first), pl.lit(last)))
        return frame.filter(pl.col("charge_date").is_between(first, last))
    return frame.filter(pl.col("billing_period").is_between(pl.lit(first), pl.lit(last)))


def summed(
    frame: pl.DataFrame, question: dict[str, Any], measure: str
) -> dict[tuple[Any, ...], Any]:
    sums: dict[tuple[Any, ...], Any] = {}
    unknown = set()
    is_by_month = len(question["start"]) == 7
    for row in frame.iter_rows(named=True):
        period = {
            "total": (),
            "day": (row["charge_date"],),
            "month": (row["billing_period"] if is_by_month else f"{row['charge_date']:%Y-%m}",),
        }
        key = (*period[question["granularity"]], *(row[FIELDS[f]] for f in question["group_by"]))
        key += (row["consumed_unit"],) if measure == "consumed_quantity" else ()
        key += (row["billing_currency"],)
        sums.setdefault(key, 0 if measure == "charges" else Decimal(0))
        if row[measure] is None:
            unknown.add(key)
        else:
            sums[key] += row[measure]
    return {key: None if key in unknown else amount for key, amount in sums.items()}


@pytest.mark.parametrize("tenant", TENANTS)
def test_answers_are_the_sums_of_the_charges(
    tenant: str, askers: dict[str, CostAsker], days: dict[str, pl.DataFrame]
) -> None:
    """Random questions with all fields, periods, filters, granularities and comparisons."""
    source = random.Random(f"questions of {tenant}")
    rows = 0
    for number in range(QUESTIONS):
        question = random_question(source, partial(values_of, days[tenant]))
        answer = askers[tenant].ask(read_question(question))
        sums = expected(days[tenant], question)
        width = 2 if "compare_to" in question else 1
        size = len(answer.columns) - (3 if width == 2 else 1)
        shown = {tuple(row[:size]): tuple(row[size:]) for row in answer.rows}
        assert len(shown) == len(answer.rows) and shown.keys() <= sums.keys(), (number, question)
        for key, measures in shown.items():
            assert measures[:width] == (sums[key] if width == 2 else (sums[key],)), (number, key)
            if width == 2 and None not in measures:
                assert measures[2] == measures[1] - measures[0]
        if question["limit"] is None:
            assert shown.keys() == sums.keys(), (number, question)
        check_totals(answer.totals, sums, shown, width)
        rows += len(answer.rows)
    assert rows > 10 * QUESTIONS, "the questions are about charges that there are"


def check_totals(totals: Any, sums: Any, shown: Any, width: int) -> None:
    """Compare the totals and the rest with all groups, also those that are not shown."""
    has_unit = any(total.consumed_unit for total in totals)
    tails = {key[-2:] if has_unit else key[-1:] for key in sums}
    assert len(totals) == len(tails), "each currency (and unit) has a total"
    for total in totals:
        tail = ((total.consumed_unit,) if has_unit else ()) + (total.billing_currency,)
        of_tail = {key: value for key, value in sums.items() if key[-len(tail) :] == tail}
        now = [value[-1] if width == 2 else value for value in of_tail.values()]
        assert total.total == (None if None in now else sum(now))
        if width == 2 and None not in (befores := [value[0] for value in of_tail.values()]):
            assert total.total_before == sum(befores)
        hidden = [n for key, n in zip(of_tail, now, strict=True) if key not in shown]
        if total.total is not None:
            assert total.rest == sum(hidden)


def test_a_truncated_answer_has_the_totals_of_what_it_does_not_show(
    askers: dict[str, CostAsker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit or currency that comes last in the order is not lost with its rows."""
    question = read_question(
        {"metric": "usage", "group_by": ["resource"], "start": LAST_MONTH, "end": LAST_MONTH}
    )
    whole = askers["acme"].ask(question)
    monkeypatch.setattr(cost_answer, "MOST_ROWS", 3)
    cut = askers["acme"].ask(question)
    assert cut.is_truncated and len(cut.rows) == 3 and not whole.is_truncated
    totals = [[(t.consumed_unit, t.total, t.groups) for t in of.totals] for of in (whole, cut)]
    assert totals[0] == totals[1] and len(totals[0]) > 3
    hidden = [total for total in cut.totals if not total.groups_shown]
    assert hidden and all(total.rest == total.total for total in hidden)


def test_tags_that_differ_in_case_are_two_columns(askers: dict[str, CostAsker]) -> None:
    """AWS's tag keys are case-sensitive, and DuckDB's names of columns are not."""
    answer = askers["acme"].ask(
        read_question({"group_by": ["tag:Team", "tag:team"], "start": LAST_MONTH})
    )
    assert answer.columns[:2] == ["tag:Team", "tag:team (2)"]
    assert answer.totals[0].groups == len(answer.rows) > 2


def test_the_command_gives_the_same_number_as_sql(built: TemporaryInstallation) -> None:
    """The question of the first page: what does the production environment of acme cost?"""
    months = f"'{shift(LAST_MONTH, -2)}' and '{LAST_MONTH}'"
    for tenant in TENANTS:
        (sum_of_file,) = built.rows(
            tenant,
            "select sum(EffectiveCost) as cost from costs inner join projects using (project)"
            f" where environment = 'prod' and billing_period between {months}",
        )
        done = built.finops(
            "costs", tenant, "--environment", "Production", "--from", shift(LAST_MONTH, -2), "--to",
            LAST_MONTH, "--by", "service", "--limit", "2", "--format", "json",
        )  # fmt: skip
        answer = json.loads(done.stdout, parse_float=str)
        (total,) = answer["totals"]
        assert total["total"] == sum_of_file["cost"] and total["groups_shown"] == 2
        shown = [Decimal(row["effective_cost"]) for row in answer["rows"]]
        assert sum(shown) + Decimal(total["rest"]) == Decimal(total["total"])
        assert answer["question"]["filters"][0]["values"] == ["prod"]
        assert "$value_1" in answer["sql"] and "prod" not in answer["sql"]
        assert {month["state"] for month in answer["months"]} == {"reconciled"}


def test_conditions_on_one_field_are_alternatives(
    built: TemporaryInstallation, askers: dict[str, CostAsker]
) -> None:
    month = ("--from", LAST_MONTH, "--to", LAST_MONTH, "--format", "json")
    both = ("--environment", "prod", "--where", "environment=dev")
    _, output = finops("costs", "acme", *both, *month, data=built.data)
    (total,) = json.loads(output.splitlines()[0], parse_float=Decimal)["totals"]
    parts = [
        askers["acme"].ask(read_question({
            "start": LAST_MONTH, "end": LAST_MONTH,
            "filters": [{"field": "environment", "values": [name]}],
        })).totals[0].total
        for name in ("prod", "dev")
    ]  # fmt: skip
    assert total["total"] == sum(part for part in parts if part) and all(parts)


def test_names_of_a_purged_tenant_are_forgotten(ingested: TemporaryInstallation) -> None:
    question = read_question({"filters": [{"field": "project", "values": ["nothing"]}]})
    with open_costs(ingested.installation, "acme") as asker:
        with pytest.raises(Unknown, match="prod"):
            asker.ask(question)
        for verb in ("remove", "purge"):
            assert finops("tenant", verb, "acme", "--yes", "acme", data=ingested.data)[0] == 0
        with pytest.raises(FinopsError) as refused:
            asker.ask(question)
    assert "prod" not in str(refused.value)


def test_a_table_says_what_its_numbers_are(built: TemporaryInstallation) -> None:
    done = built.finops("costs", "acme", "--by", "project", "--from", LAST_MONTH, "--limit", "1")
    lines = done.stdout.splitlines()
    running = f"{clock.now():%Y-%m}"
    assert lines[0] == f"acme: effective cost, {LAST_MONTH} to {running}"
    assert lines[-1].startswith("Total: ") and "are not shown" in lines[-1]
    assert f"there is no bill for {running}" in done.stderr and "finops gaps acme" in done.stderr
    with_sql = built.finops("costs", "acme", "--from", LAST_MONTH, "--to", LAST_MONTH, "--sql")
    assert "group by all" in with_sql.stdout and '"2026-10"' in with_sql.stdout
    as_csv = built.finops(
        "costs", "acme", "--from", LAST_MONTH, "--to", LAST_MONTH, "--format", "csv"
    )
    assert as_csv.stdout.splitlines()[0] == "billing_currency,effective_cost"


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--environment", "prodction"], ["there is no environment 'prodction'", "mean prod?"]),
        (["--by", "servce"], ["no field 'servce'", "Did you mean service?"]),
        (["--by", "tag:"], ["no field 'tag:'"]),
        (["--by", "dimension:team"], ["no dimension 'team'", "docs/dimensions.md"]),
        (["--last", "3", "fortnights"], ["'3 fortnights'", "such as '3 months'"]),
        (["--last", "10000", "years"], ["'10000 years'"]),
        (["--last", "40", "years"], ["at most ten years"]),
        (["--from", "2026-10", "--to", "2026-09"], ["start 2026-10 is after end 2026-09"]),
        (["--from", "9999-12"], ["a year from 2000"]),
        (["--to", "2026-09"], ["has no start"]),
        (["--last", "2", "days", "--from", "2026-10"], ["both last and start or end"]),
        (["--by", "project,service,region,account,resource,source"], ["group_by"]),
        (["--by", "project,project"], ["'project' twice"]),
        (["--limit", "0"], ["limit is 0"]),
        (["--order", "largest_change"], ["without a comparison"]),
        (["--compare-to", "year_before", "--granularity", "day"], ["one sum for each"]),
        (["--where", "project"], ["is not FIELD=VALUE"]),
        (["--where", "resource=" + "x" * 1001], ["at most 1000 characters"]),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_question_that_cannot_be_answered_is_refused(
    built: TemporaryInstallation, arguments: list[str], texts: list[str]
) -> None:
    code, output = finops("costs", "acme", *arguments, data=built.data)
    answer = " ".join(output.split())
    assert code != 0 and all(text in answer for text in texts), answer


def test_names_are_those_of_the_tenant_alone(
    askers: dict[str, CostAsker], built: TemporaryInstallation
) -> None:
    """A name that only the other tenant has is unknown, and is not suggested."""
    of_globex = {project.name for project in built.installation.registry.tenant("globex").projects}
    of_acme = {project.name for project in built.installation.registry.tenant("acme").projects}
    for name in of_globex - of_acme:
        code, refused = finops("costs", "acme", "--project", name, data=built.data)
        assert code == 1 and f"no project '{name}'" in refused and f"mean {name}" not in refused
    assert of_globex - of_acme
    total = askers["globex"].ask(read_question({"start": LAST_MONTH, "end": LAST_MONTH})).totals
    assert (
        total != askers["acme"].ask(read_question({"start": LAST_MONTH, "end": LAST_MONTH})).totals
    )
