"""The file of an access limited to projects: their rows, exactly, and no trace of any other.

Put here: what the file has, its sums, questions. Keep out: attacks from inside
(test_scoped_attacks.py), its life in the tenant's folder (test_scoped_lifecycle.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.contracts.column import MONEY
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.errors import FinopsError
from finops_pipeline.marts.price_list import shipped_prices
from finops_pipeline.marts.scoped_tables import ScopeRule, scope_rules
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.questions.question import Filter, Question
from finops_pipeline.serve.warehouse_pool import OpenWarehouse, PoolLimits, WarehousePool
from tests.conftest import TemporaryInstallation
from tests.support.marked_projects import LARGE, OTHER, OWN, SCOPE, Marked, marked, rows, scoped_of

__all__ = ["marked"]

FOREIGN_MARKS = (b"zqdata", b"zqglobex")
NUMBERS = (ScopeRule.OWN_ROWS, ScopeRule.QUERY)
DIFFERENT = {"account_names", "data_status", "tag_costs", "tag_coverage", "commitments"}
"""Tables of which the limited file has fewer columns or rows than those of the projects."""


@pytest.fixture(scope="module")
def pool(marked: Marked) -> Iterator[WarehousePool]:
    pool = WarehousePool(marked.made.installation, PoolLimits(workers=6))
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def limited(pool: WarehousePool) -> Iterator[OpenWarehouse]:
    with pool.open(SCOPE) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(pool: WarehousePool) -> Iterator[OpenWarehouse]:
    with pool.open(DataScope("acme")) as opened:
        yield opened


def names_of(opened: OpenWarehouse) -> set[str]:
    return {name for (name,) in rows(opened, "select table_name from information_schema.tables")}


def test_every_table_and_view_has_a_rule(whole: OpenWarehouse) -> None:
    """A new mart is left out of limited files until it gets a rule."""
    declared = {table.name for table in TABLES} | {view.name for view in focus_views()}
    assert scope_rules().keys() == declared
    present = {name for name in names_of(whole) if not name.startswith("landing_")}
    assert present == declared


def test_it_has_what_the_rules_say(limited: OpenWarehouse) -> None:
    allowed = {name for name, rule in scope_rules().items() if rule is not ScopeRule.ABSENT}
    assert names_of(limited) == allowed
    for table in TABLES:
        if table.name in allowed:
            described = [row[:2] for row in rows(limited, f"describe {table.name}")]
            assert described == [(c.name, c.type) for c in table.columns], table.name


def test_no_table_shows_another_project(limited: OpenWarehouse, whole: OpenWarehouse) -> None:
    """By name or by an amount that contains its costs; its own rows are all there."""
    assert "zqdata" in str([rows(whole, f"from {name}") for name in names_of(whole)]).lower()
    for name in sorted(names_of(limited)):
        dump = rows(limited, f"from {name}")
        assert not [m for m in FOREIGN_MARKS if m.decode() in str(dump).lower()], name
        large = [value for row in dump for value in row if is_large(value)]
        assert large == [], name
    with_rows = {name for name in names_of(limited) if rows(limited, f"from {name}")}
    assert with_rows >= {"costs", "monthly_costs", "resource_daily_costs", "tag_costs", "claims",
                         "statements", "statement_preview", "shared_costs", "dimension_costs",
                         "required_tag_coverage", "data_status", "compute_hours", "projects",
                         "accounts", "account_names", "allocated_costs", "about", "budgets",
                         "budget_status"}  # fmt: skip


def test_budgets_of_more_than_its_projects_are_left_out(
    limited: OpenWarehouse, whole: OpenWarehouse
) -> None:
    for table in ("budgets", "budget_status"):
        assert rows(limited, f"select distinct budget from {table}") == [(f"{OWN}-budget",)]
        assert len(rows(whole, f"select distinct budget from {table}")) == 4


def is_large(value: object) -> bool:
    return isinstance(value, Decimal) and abs(value) >= LARGE


def test_its_bytes_have_no_trace_of_another_project(marked: Marked) -> None:
    path = scoped_of(marked.made, SCOPE).path
    content = path.read_bytes().lower()
    assert b"zqweb" in content
    assert [mark for mark in FOREIGN_MARKS if mark in content] == []
    assert b"zqdata" in marked.made.installation.folder("acme").warehouse.read_bytes().lower()


@pytest.mark.parametrize(
    "table",
    [t for t in TABLES if scope_rules()[t.name] in NUMBERS and t.name not in DIFFERENT],
    ids=lambda table: table.name,
)
def test_its_sums_are_those_of_the_projects_in_the_whole_file(
    table: Any, limited: OpenWarehouse, whole: OpenWarehouse
) -> None:
    if "project" not in {column.name for column in table.columns}:
        return
    hidden = {"basis", "share"} if table.name == "shared_costs" else set()
    amounts = [c.name for c in table.columns if c.type == MONEY and c.name not in hidden]
    sums = ", ".join(["count(*)", *(f"sum({name})" for name in amounts)])
    expected = rows(whole, f"select {sums} from {table.name} where project = '{OWN}'")
    assert rows(limited, f"select {sums} from {table.name}") == expected


def test_tags_of_others_are_no_keys_here(limited: OpenWarehouse, whole: OpenWarehouse) -> None:
    keys = "select distinct tag_key from tag_costs where project = $project order by 1"
    own = [("Area",), ("Project",), ("zqwebKey",)]
    assert rows(limited, keys, project=OWN) == own
    assert ("zqdataKey",) in rows(whole, keys, project=OWN), "the whole file has such rows"
    sums = (
        "select tag_key, tag_value, sum(billed_cost), sum(charges) from tag_costs"
        f" where project = '{OWN}' and tag_key not like '%zqdata%' group by all order by all"
    )
    assert rows(limited, sums) == rows(whole, sums)


def test_a_part_of_a_shared_cost_does_not_tell_the_whole(
    limited: OpenWarehouse, whole: OpenWarehouse
) -> None:
    parts = (
        "select billed_cost, share, basis from shared_costs"
        " where project = $project and direction = 'received'"
    )
    (own,), (known,) = rows(limited, parts, project=OWN), rows(whole, parts, project=OWN)
    assert own == (known[0], None, None) and known[1] < 1


def test_an_instance_that_moved_counts_its_hours_here(
    limited: OpenWarehouse, whole: OpenWarehouse
) -> None:
    hours = (
        "select running_hours, elasticity_percent, note from compute_hours"
        " where resource_id = 'i-moved' and project = $project"
    )
    alone, together = rows(limited, hours, project=OWN), rows(whole, hours, project=OWN)
    assert alone[0][0] == together[0][0] == 24
    assert alone[0][1:] == (Decimal("3.85"), None)
    assert together[0][1:] == (Decimal("965.38"), "Several instances run under this id.")


def test_states_come_without_the_amounts_of_all(limited: OpenWarehouse) -> None:
    status = "select billing_period, source, state, billed_cost, rows_read, reason from data_status"
    assert rows(limited, status) == [("2026-09", "payer", "reconciled", None, None, None)]
    accounts = "select sub_account_id, charges from account_names order by 1"
    assert rows(limited, accounts) == [("100000000001", 3), ("300000000003", 1)]
    scope = "select what from about where name = 'scope'"
    assert rows(limited, scope) == [(f"limited to {OWN}",)]


def test_a_question_is_answered_from_the_projects_alone(
    limited: OpenWarehouse, whole: OpenWarehouse
) -> None:
    for group_by in ("service", "account", "tag:Project", "dimension:team", "usage_type"):
        question = Question(start="2026-09", end="2026-09", group_by=(group_by,))
        own = question.model_copy(update={"filters": (Filter(field="project", values=(OWN,)),)})
        answer, expected = limited.asker.ask(question), whole.asker.ask(own)
        assert answer.rows == expected.rows and answer.totals == expected.totals
        assert answer.months[0].state == "reconciled"
    for field, typed in (("project", OTHER), ("service", "zqdata Service"), ("account", "2")):
        asked = Question(filters=(Filter(field=field, values=(typed,)),))
        with pytest.raises(FinopsError) as refused:
            limited.asker.ask(asked)
        assert "zqdata" not in str(refused.value).replace(typed, "")


def test_nothing_that_only_other_projects_charges_have_is_in_any_cell(
    ingested: TemporaryInstallation,
) -> None:
    """For the estate, which has commitments, shared accounts and every mart."""
    pool = WarehousePool(ingested.installation, PoolLimits())
    with pool.open(DataScope("acme")) as whole, pool.open(DataScope("acme", ("dev",))) as limited:
        own = words(rows(whole, "from costs where project = 'dev'"))
        others = words(rows(whole, "from costs where project <> 'dev'")) - own
        # AWS's public price list, which findings of waste compare with
        others -= {price.price_code for price in shipped_prices()}
        assert len(others) > 1000
        for name in sorted(names_of(limited)):
            assert not words(rows(limited, f"from {name}")) & others, name
    pool.close()


def words(found: list[tuple[Any, ...]]) -> set[str]:
    """All texts of four letters and more, and those in JSON objects."""
    texts = {value for row in found for value in row if isinstance(value, str)}
    for text in [text for text in texts if text.startswith("{")]:
        texts |= {str(part) for pair in json.loads(text).items() for part in pair}
    return {text for text in texts if len(text) >= 4 and not text.startswith("{")}


def test_no_project_is_an_empty_file_and_never_the_whole(pool: WarehousePool) -> None:
    for projects in ((), ("missing",)):
        with pool.open(DataScope("acme", projects)) as opened:
            for name in names_of(opened):
                found = rows(opened, f"from {name}")
                assert "zq" not in str(found).lower(), name
                assert not [value for row in found for value in row if isinstance(value, Decimal)]
            assert opened.asker.ask(Question(start="2026-09")).rows == []


def test_projects_are_the_key_of_every_process(pool: WarehousePool) -> None:
    scopes = [DataScope("acme", p) for p in (None, (OWN,), (OTHER,), (OWN, OTHER), ())]
    scopes.append(DataScope("globex", (OWN,)))
    generations, totals = set(), []
    for scope in scopes:
        with pool.open(scope) as opened:
            generations.add(opened.generation)
            assert opened.generation == pool.generation(scope)
            totals.append(rows(opened, "select sum(BilledCost) from costs")[0][0])
    assert len(generations) == len(scopes)
    everything, web, data, both, nothing, elsewhere = totals
    assert (web, nothing, elsewhere) == (Decimal("4.375"), None, None)
    assert both == web + data and everything == both + 90000
