"""The house's SQL: complete heads, no templates, no tenants, columns as the contracts promise.

Put here: rules of .sql files. Keep out: what a mart sums up to (test_checks.py, test_truth.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.marts import alert_rules_library, waste_rules_library
from finops_pipeline.marts.library import SliceKind, head, marts
from finops_pipeline.marts.lookback import read_lookback
from finops_pipeline.synthetic.spec import estate_tenants
from tests.support.source_files import (
    CHECK_SQL,
    EVERY_SQL,
    PACKAGE,
    STAGE_SQL,
)
from tests.support.sql_tables import tables_read

by_stem = {"ids": lambda path: path.stem}


_EVERYWHERE = ("grain", "money", "reads")
KEYS = {
    "focus/sql": {*_EVERYWHERE, "check"},
    "marts/sql": {*_EVERYWHERE, "check", "lookback", "slice", "needs", "rows only from", "days"},
    "marts/checks": {"reads", "on failure", "rows only from"},
    "marts/queries": {*_EVERYWHERE, "use case", "parameters", "values"},
    "marts/allocation": {*_EVERYWHERE, "parameters"},
    "marts/statements": {*_EVERYWHERE},
    "marts/scoped": {*_EVERYWHERE, "parameters"},
    "marts/waste": {*_EVERYWHERE},
    "marts/waste_rules": waste_rules_library.KEYS,
    "marts/budgets": {*_EVERYWHERE},
    "marts/reports": {*_EVERYWHERE, "parameters"},
    "marts/alert_rules": alert_rules_library.KEYS,
}
"""What a head may state, by folder; nothing reads any other key."""


# ---- SQL


def _code(path: Path) -> str:
    """The SQL without its comments."""
    return re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", STAGE_SQL, **by_stem)  # type: ignore[arg-type]
def test_stage_sql_has_a_complete_head(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    lines = head(sql)
    assert sql.startswith(f"-- {path.stem}: ")
    is_mart = path.parent.parent.name == "marts"
    required = {path.stem, "grain", "money", "reads", "check"}
    required |= {"lookback", "slice"} if is_mart else set()
    assert {key for key in required if lines.get(key)} == required
    for name in lines["check"].split(", "):
        # conformance: a rule of contracts/focus_rules.py applies it to every charge
        assert name == "conformance" or (PACKAGE / "marts" / "checks" / f"{name}.sql").is_file(), (
            name
        )
    if is_mart:
        assert read_lookback(lines["lookback"]) is not None
        assert lines["slice"] in set(SliceKind)
        assert lines["grain"].split(", ") == list(MARTS[path.stem].grain)


@pytest.mark.parametrize(
    "path",
    [path for path in EVERY_SQL if not path.stem.endswith("macros")],
    ids=lambda path: path.stem,
)
def test_sql_reads_what_its_head_states(path: Path) -> None:
    """The heads decide the order of marts, and what each is shown."""
    sql = path.read_text(encoding="utf-8")
    assert tables_read(sql) == set(head(sql)["reads"].split(", "))


def test_names_that_a_query_defines_itself_are_no_tables() -> None:
    """A name counts from its definition on, and only in its own scope."""
    sql = (
        "with costs as (select * from costs), a as ("
        "with projects as (select 1 as n) select * from projects)"
        " select * from a, projects where n in (select n from accounts) and exists (from costs)"
    )
    assert tables_read(sql) == {"costs", "projects", "accounts"}


@pytest.mark.parametrize("path", EVERY_SQL, **by_stem)  # type: ignore[arg-type]
def test_a_head_has_no_key_that_nothing_reads(path: Path) -> None:
    """The head ends with an empty line, or with one that has nothing but its two dashes."""
    stated = re.split(r"\n(?:--)?\n", path.read_text(encoding="utf-8"), maxsplit=1)[0]
    allowed = KEYS[path.parent.relative_to(PACKAGE).as_posix()] | {path.stem}
    assert head(stated).keys() <= allowed


@pytest.mark.parametrize("path", CHECK_SQL, **by_stem)  # type: ignore[arg-type]
def test_check_sql_has_a_complete_head(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    said = head(sql)
    assert sql.startswith(f"-- {path.stem}: ")
    assert said[path.stem]
    assert said["on failure"] in {"refuse", "warn"}
    assert set(said["reads"].split(", ")) <= {table.name for table in TABLES}


@pytest.mark.parametrize("path", EVERY_SQL, **by_stem)  # type: ignore[arg-type]
def test_sql_is_plain_and_knows_no_tenant(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    assert not re.search(r"\{\{|\{%|%s|\{[A-Za-z_]+\}", sql), "a template"
    words = set(re.findall(r"\w+", sql.lower()))
    for tenant in estate_tenants(seed=7, last_month="2026-10"):
        assert tenant.name not in words
    code = _code(path).lower()
    assert not re.search(r"\btenant\b", code)
    assert not re.search(r"\b(double|float4?|float8|real)\b|\bfloat\(", code)
    assert not re.search(r"\b(now|today|current_date|current_timestamp|random)\b", code)


@pytest.mark.parametrize("mart", marts(), ids=lambda mart: mart.name)
def test_mart_columns_are_the_contract_in_order(mart: object) -> None:
    name, sql = mart.name, mart.sql  # type: ignore[attr-defined]
    with duckdb.connect(":memory:") as connection:
        for table in TABLES:
            columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
            connection.execute(f"create table {table.name} ({columns})")
        found = connection.execute(f"describe ({sql})").fetchall()
    assert [(row[0], row[1]) for row in found] == [(c.name, c.type) for c in MARTS[name].columns]
