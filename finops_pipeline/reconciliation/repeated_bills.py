"""Comparison of a month's bills with each other: the same bill may arrive through two exports.

Put here: whether two bills of a month charge the same account, and the comparisons of those that
repeat each other. Keep out: the rule that decides whether they do (marts/checks/bills_apart.sql,
which the caller passes), comparisons with other counterparts (cost_explorer_comparison.py).

Reads: the view `costs` of one month, on the caller's connection; ledger
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_pipeline.errors import counted
from finops_pipeline.lake.duck import Connection, fetch_dicts
from finops_pipeline.ledger.bill_totals import BillTotal
from finops_pipeline.ledger.ledger import PartitionRecord
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.reconciliation.comparisons import (
    Basis,
    Comparison,
    ComparisonState,
    CounterpartKind,
)

_UNITS = {
    "charge": ("charge", "charges"),
    "day": ("daily sum of a resource", "daily sums of resources"),
    "month": ("monthly sum of a resource", "monthly sums of resources"),
}
"""What was compared, in the singular and plural, by the column `compared_by`."""


def months_of_several_bills(costs: dict[tuple[str, str], PartitionRecord]) -> set[str]:
    """List the months whose charges come from more than one source."""
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for (_, month), record in costs.items():
        sources[month].update(total["source"] for total in record.totals)
    return {month for month, names in sources.items() if len(names) > 1}


@dataclass(frozen=True)
class SharedAccount:
    """An account and currency that a source charges, as another source does, too."""

    source: str
    sub_account_id: str | None
    billing_currency: str


def find_shared_accounts(totals: Iterable[BillTotal]) -> list[SharedAccount]:
    """Return the accounts of a month that more than one source charges, for each such source."""
    sources: defaultdict[tuple[str | None, str], set[str]] = defaultdict(set)
    for total in totals:
        sources[total.sub_account_id, total.billing_currency].add(total.source)
    return [
        SharedAccount(source, *key)
        for key, names in sources.items()
        if len(names) > 1
        for source in sorted(names)
    ]


def compare_bills(
    connection: Connection, month: str, shared: list[SharedAccount], rule: str
) -> Iterator[Comparison]:
    """Compare bills that share accounts; yield two comparisons for each pair that is the same bill.

    Args:
        rule: the SQL of the check bills_apart.
    """
    connection.execute(
        "create or replace temp table bill_totals as select ? as billing_period,"
        " unnest(?::varchar[]) as source, unnest(?::varchar[]) as sub_account_id,"
        " unnest(?::varchar[]) as billing_currency",
        [
            month,
            [account.source for account in shared],
            [account.sub_account_id for account in shared],
            [account.billing_currency for account in shared],
        ],
    )
    pairs: defaultdict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in fetch_dicts(connection.execute(f"from ({rule}) order by all")):
        pairs[row["source"], row["other_source"], row["billing_currency"]].append(row)
    for (source, other_source, currency), rows in pairs.items():
        for bill, other in ((source, other_source), (other_source, source)):
            yield _repeated(Comparison(bill, month, currency, _KIND, other), rows)


_KIND = CounterpartKind.OTHER_BILL


def cure_repeated(tenant: str, source: str, month: str) -> str:
    """Return the commands after which a bill no longer counts from a month on."""
    return f"finops source add {tenant}/{source} --to {month}, then finops ingest {tenant}"


def _repeated(comparison: Comparison, rows: list[dict[str, Any]]) -> Comparison:
    """Add to a comparison what its bill and the counterpart both charge."""
    amount = exact_sum(row["billed_cost"] for row in rows)
    count = sum(row["equal_charges"] for row in rows)
    units = counted(count, *_UNITS[rows[0]["compared_by"]])
    are, count_twice = ("is", "counts twice") if count == 1 else ("are", "count twice")
    note = (
        f"{units} ({plain(amount)} {comparison.billing_currency}) {are} also in the bill of"
        f" {comparison.counterpart} and {count_twice}"
    )
    return replace(
        comparison,
        cost_basis=Basis.BILLED,
        state=ComparisonState.DIFFERS,
        ours=amount,
        theirs=Decimal(0),
        difference=amount,
        tolerance=Decimal(0),
        note=note,
    )
