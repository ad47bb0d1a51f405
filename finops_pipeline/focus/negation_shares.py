"""Sharing Savings Plan negations among the projects that an account is split into.

Put here: the share of each project, with which negations cancel its covered usage. Keep out: what a
negation is and what remains of it (sql/cur_priced.sql).

AWS negates covered usage per account and SKU ("SavingsPlanNegation used by AccountId … and
UsageSku …"), on rows without tags. If the usage is in several projects, its negations may be
in another one, or all in one of them (docs/decisions/0094).
"""

from __future__ import annotations

from finops_pipeline.focus.claim_columns import NEGATION
from finops_pipeline.lake.duck import Connection, ident, text

_GROUP = (
    "line_item_usage_account_id",
    "savings_plan_savings_plan_a_r_n",
    "line_item_currency_code",
)


def store_negation_shares(connection: Connection, source: str, line_items: str) -> str:
    """Create a table of line items that move parts of negations between projects.

    The shares of each account, plan, service and currency add up to 0. Per plan, the project with
    most of the negations gets the rest.

    Args:
        line_items: SQL for the line items of the whole bill, with `x_project`.

    Returns:
        the table's name.
    """
    table, group = ident(f"negation shares of {source}"), ", ".join(_GROUP)
    same_group = " and ".join(f"part.{n} is not distinct from holder.{n}" for n in _GROUP)
    connection.execute(
        f"create or replace temp table {table} as with part as (select x_project, {group},"
        " coalesce(line_item_product_code, product_product_name, 'AWS') as line_item_product_code,"
        " sum(line_item_unblended_cost) as cost, sum(line_item_net_unblended_cost) as net,"
        " sum(abs(line_item_unblended_cost)) filter (line_item_line_item_type ="
        f" {text(NEGATION)}) as negated from ({line_items}) where line_item_line_item_type in"
        f" ('SavingsPlanCoveredUsage', {text(NEGATION)}) group by all),"
        f" holder as (select {group}, first(x_project order by negated desc, x_project) as holder"
        f" from (select x_project, {group}, sum(negated) as negated from part group by all)"
        " where negated is not null group by all),"
        f" moved as (select part.*, holder.holder from part join holder on {same_group}"
        " where part.x_project <> holder.holder and (cost <> 0 or net <> 0)),"
        " share as (select * replace (-cost as cost, -net as net) from moved"
        " union all select * replace (holder as x_project) from moved)"
        f" select x_project, {group}, line_item_product_code, {text(NEGATION)} as"
        " line_item_line_item_type, cost as line_item_unblended_cost,"
        " net as line_item_net_unblended_cost from share"
    )
    return table


def count_shares(connection: Connection, table: str) -> dict[tuple[str, ...], int]:
    """Count the shares by project, account, service code, line item type and currency."""
    query = (
        "select x_project, line_item_usage_account_id, line_item_product_code,"
        f" line_item_line_item_type, line_item_currency_code, count(*) from {table} group by all"
    )
    return {tuple(key): count for *key, count in connection.execute(query).fetchall()}
