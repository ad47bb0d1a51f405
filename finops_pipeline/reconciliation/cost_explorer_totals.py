"""What charges and Cost Explorer's days sum to, by account and service: the reading of both.

Put here: the days that are compared, one query per side. Keep out: which bill meets which Cost
Explorer (versus_explorer.py), judging (explorer_cuts.py).

Reads: views `costs` and `cost_explorer_daily` of one month, on the connection it is given
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from finops_pipeline.contracts.known_differences import (
    DIFFERENCE_REASONS,
    DIGITS_OF_API,
    DIGITS_OF_CONSOLE,
    PARTIAL_DAY,
    TAX,
    service_key,
)
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.lake.layout import COSTS, EXPLORER
from finops_pipeline.money import exact_sum
from finops_pipeline.reconciliation.comparisons import ALL_DAYS, BILLED
from finops_pipeline.reconciliation.cost_explorer_breakdown import Cut, Key, Sum
from finops_pipeline.tenants.months import closed_from, end_day, first_day


class Row(NamedTuple):
    """Values of one account, service and currency; a cost is None where it is not known of all."""

    account: str
    service: str
    currency: str
    values: int
    billed: Decimal | None
    effective: Decimal | None


@dataclass(frozen=True)
class Days:
    """The days that a bill and Cost Explorer both have: all of the month, or these.

    `may_change`: AWS calls one of them estimated, or says nothing and was asked too early.
    """

    days: tuple[date, ...]
    all_of_month: bool
    may_change: bool
    words: str

    def sql(self, column: str) -> str:
        """SQL condition on a column."""
        if self.all_of_month:
            return "true"
        listed = ", ".join(f"date {text(day.isoformat())}" for day in self.days)
        return f"cast({column} as date) in ({listed})"


def days_of_both(
    month: str,
    known: Mapping[date, bool | None],
    bill_landed: str,
    bill_last: date | None,
    explorer_landed: str,
) -> Days:
    """Days that both have whole: of a running bill, those before its latest.

    Args:
        known: Cost Explorer's days -> whether AWS calls them estimated (None: unsaid).
        bill_last: the latest day of its usage.
    """
    first, end = first_day(month), end_day(month)
    grows = bill_landed[:10] < str(end + timedelta(days=1))
    known = {day: said for day, said in known.items() if first <= day < end}
    days = tuple(sorted(d for d in known if not (grows and bill_last and d >= bill_last)))
    early = explorer_landed[:10] < str(closed_from(month))
    may_change = any(known[day] or (known[day] is None and early) for day in days)
    if len(days) == (end - first).days:
        return Days(days, True, may_change, ALL_DAYS)
    words = f"{len(days)} days from {days[0]} to {days[-1]}" if days else ""
    if grows:
        words += f" ({DIFFERENCE_REASONS[PARTIAL_DAY]})"
    return Days(days, False, may_change, words)


def charges(connection: Connection, bill: str, days: Days) -> list[Row]:
    """A bill's charges of these days. Taxes are a service of their own, as in Cost Explorer."""
    rows = connection.execute(
        "select coalesce(SubAccountId, ''),"
        f" case when ChargeCategory = 'Tax' then {text(TAX)} else ServiceName end,"
        f" BillingCurrency, count(*), sum(BilledCost), sum(EffectiveCost) from {COSTS}"
        f" where x_Source = {text(bill)} and {days.sql('ChargePeriodStart')} group by all"
    ).fetchall()
    return [Row(*row) for row in rows]


def answers(connection: Connection, explorer: str, days: Days, without: Set[str]) -> list[Row]:
    """Cost Explorer's values of these days, without some accounts."""
    rows = connection.execute(
        "select coalesce(sub_account_id, ''), coalesce(service_name, ''), billing_currency,"
        " count(*), case when count(billed_cost) = count(*) then sum(billed_cost) end,"
        " case when count(effective_cost) = count(*) then sum(effective_cost) end"
        f" from {EXPLORER} where source = {text(explorer)} and {days.sql('charge_date')}"
        " group by all"
    ).fetchall()
    return [Row(*row) for row in rows if row[0] not in without]


def digits_of(connection: Connection, explorer: str) -> int:
    """Decimals that Cost Explorer's values are rounded to: the most that any of them shows."""
    spelled = "length(rtrim(split_part({}::varchar, '.', 2), '0'))"
    row = connection.execute(
        f"select greatest(max({spelled.format('billed_cost')}),"
        f" max({spelled.format('effective_cost')})) from {EXPLORER} where source = {text(explorer)}"
    ).fetchone()
    return min(max((row and row[0]) or 0, DIGITS_OF_CONSOLE), DIGITS_OF_API)


def accounts_of(connection: Connection) -> dict[str, set[str]]:
    """Accounts that have costs, by source of either side; '' where it does not say."""
    found: dict[str, set[str]] = {}
    rows = connection.execute(
        f"select x_Source, coalesce(SubAccountId, '') from {COSTS} group by all union all"
        f" select source, coalesce(sub_account_id, '') from {EXPLORER} group by all"
    ).fetchall()
    for source, account in rows:
        found.setdefault(source, set()).add(account)
    return found


def last_days(connection: Connection) -> dict[str, date]:
    """The latest day of each bill's usage."""
    query = connection.execute(
        f"select x_Source, max(cast(ChargePeriodStart as date)) from {COSTS}"
        " where ChargeCategory = 'Usage' group by 1"
    )
    return dict(query.fetchall())


def cut_of(rows: Iterable[Row], currency: str, basis: str) -> Cut:
    """Sums of one currency and cost basis, services by the key they are compared by."""
    found: dict[Key, Sum] = {}
    for row in rows:
        cost = row.billed if basis == BILLED else row.effective
        if row.currency == currency and cost is not None:
            key = (row.account, service_key(row.service))
            before = found.get(key, Sum())
            found[key] = Sum(before.values + row.values, exact_sum([before.cost, cost]))
    return found
