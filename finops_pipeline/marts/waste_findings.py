"""The findings of the rules of waste in the file being built.

Put here: running the rules that a bill concerns, and the tables that only they need. Keep out: the
rules (marts/waste_rules), how findings exclude each other (marts/waste/waste_findings.sql),
decisions (ledger/waste_decisions.py).

Reads: marts, inventories, statistics, prices, ledger
Writes: <tenant>.duckdb (prices, waste_findings, savings_realised, what rules read besides the bill)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from finops_pipeline.contracts.column import MONEY, TEXT
from finops_pipeline.contracts.waste_inputs import WASTE_INPUTS
from finops_pipeline.contracts.waste_tables import (
    PRICES,
    RECENT_USAGE,
    SAVINGS_REALISED,
    WASTE_FINDINGS,
)
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.ledger.waste_decisions import WasteDecision, last_decisions
from finops_pipeline.marts.library import head
from finops_pipeline.marts.price_list import Price, fill_prices
from finops_pipeline.marts.waste_rules_library import RULE_COLUMNS, WasteRule, waste_rules

FOUND = "rule_findings"
HEADS = "waste_rule_heads"
DECISIONS = "waste_decisions"
MACROS = "saving_macros"
_MONEY = {"cost", "monthly_saving", "price"}


@cache
def waste_sql(name: str) -> str:
    """Read the SQL that puts findings or savings together."""
    folder = resources.files("finops_pipeline.marts") / "waste"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def waste_code() -> str:
    """Return everything that findings depend on besides data, for a fingerprint."""
    described = (*WASTE_INPUTS, PRICES, WASTE_FINDINGS, SAVINGS_REALISED)
    tables = repr(described)
    sql = [waste_sql(table.name) for table in described if table is not PRICES]
    sql.append(waste_sql(MACROS))
    return "\n".join([tables, *sql, *(rule.sql for rule in waste_rules())])


def fill_waste(
    connection: Connection, decisions: Sequence[WasteDecision], prices: Sequence[Price]
) -> None:
    """Fill the tables of waste; a tenant without usage has none.

    Args:
        connection: a connection with the file being built, whose marts are up to date.
        decisions: every decision on findings, in the order in which they were made.
    """
    for table in (*WASTE_INPUTS, WASTE_FINDINGS, SAVINGS_REALISED):
        connection.execute(f"delete from {WAREHOUSE}.{table.name}")
    fill_prices(connection, prices)
    create_macros(connection, f"{WAREHOUSE}.")
    create_macros(connection)
    concerned = _concerned_rules(connection)
    latest = last_decisions(decisions)
    if concerned:
        _fill_inputs(connection, concerned)
        _show_tables(connection, concerned)
        _create_inputs(connection, concerned, latest)
        _insert(connection, WASTE_FINDINGS.name)
    done = [decision for decision in latest if decision.status == "done"]
    if done:
        _create_decisions(connection, latest)
        _show(connection, ["resource_daily_costs", RECENT_USAGE.name])
        _insert(connection, SAVINGS_REALISED.name)


def create_macros(connection: Connection, catalog: str = "") -> None:
    """Create the macros of rules: in the file, where analysts run rules, and while it is built."""
    create = "create or replace macro "
    connection.execute(waste_sql(MACROS).replace(create, create + catalog))


def _concerned_rules(connection: Connection) -> list[WasteRule]:
    rows = connection.execute(
        "select distinct coalesce(service_code, '') || '/' || coalesce(meter, '')"
        f" from {WAREHOUSE}.{RECENT_USAGE.name}"
    ).fetchall()
    meters = [meter for (meter,) in rows]
    return [rule for rule in waste_rules() if rule.concerns(meters)] if meters else []


def _fill_inputs(connection: Connection, rules: Iterable[WasteRule]) -> None:
    """Fill what rules read besides the bill."""
    read = frozenset[str]().union(*(rule.reads for rule in rules))
    for table in WASTE_INPUTS:
        if table.name in read:
            _show(connection, sorted(head(waste_sql(table.name))["reads"].split(", ")))
            _insert(connection, table.name)


def _show_tables(connection: Connection, rules: Iterable[WasteRule]) -> None:
    names = frozenset[str]().union(*(rule.reads for rule in rules))
    _show(connection, sorted(names | {RECENT_USAGE.name}))


def _show(connection: Connection, names: Iterable[str]) -> None:
    for name in names:
        connection.execute(f"create or replace view {name} as from {WAREHOUSE}.{name}")


def _create_inputs(
    connection: Connection, rules: Sequence[WasteRule], decisions: Sequence[WasteDecision]
) -> None:
    types = [f"{name} {MONEY if name in _MONEY else TEXT}" for name in RULE_COLUMNS]
    connection.execute(f"create or replace table {FOUND} (rule varchar, {', '.join(types)})")
    names = ", ".join(RULE_COLUMNS)
    parts = [f"select {text(rule.rule)}, {names} from ({rule.sql})" for rule in rules]
    connection.execute(f"insert into {FOUND} " + " union all ".join(parts))
    heads = ", ".join(
        f"({text(r.rule)}, {r.version}, {text(r.tier)}, {text(r.meaning)}, {text(r.part)},"
        f" {text(r.effort)}, {text(r.risk)})"
        for r in rules
    )
    connection.execute(
        f"create or replace table {HEADS} as select * from (values {heads})"
        " as head (rule, rule_version, tier, meaning, part, effort, risk)"
    )
    _create_decisions(connection, decisions)


def _create_decisions(connection: Connection, decisions: Sequence[WasteDecision]) -> None:
    connection.execute(
        f"create or replace table {DECISIONS} (finding_id varchar, status varchar, reason varchar,"
        " until date, decided_at varchar, done_on date, finding varchar, baseline varchar)"
    )
    for d in decisions:
        values = (d.finding_id, d.status, d.reason or None, d.until, d.decided_at, d.done_on)
        connection.execute(
            f"insert into {DECISIONS} values (?, ?, ?, ?::date, ?, ?::date, ?, ?)",
            [*values, d.finding, d.baseline],
        )


def _insert(connection: Connection, name: str) -> None:
    connection.execute(f"insert into {WAREHOUSE}.{name} select * from ({waste_sql(name)})")
