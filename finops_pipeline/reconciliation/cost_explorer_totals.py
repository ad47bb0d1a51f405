"""Costs of charges and of Cost Explorer's days, read by account and service.

Put here: the days that are compared, one query per side. Keep out: which bill is compared with
which Cost Explorer (cost_explorer_comparison.py), comparing (cost_explorer_breakdown.py).

Reads: the views `costs` and `cost_explorer_daily` of one month, on the caller's connection
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from finops_pipeline.contracts.known_differences import (
    DIFFERENCE_REASONS,
    DIGITS_OF_API,
    DIGITS_OF_CONSOLE,
    PARTIAL_DAY,
    TAX,
    is_main_name,
    service_key,
)
from finops_pipeline.errors import counted
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS
from finops_pipeline.reconciliation.comparisons import ALL_DAYS, Basis
from finops_pipeline.reconciliation.cost_explorer_breakdown import COST_TYPE
from finops_pipeline.tenants.months import closed_from, end_day, first_day

UNUSED_DAYS = "unused_commitment_days"
"""The view of the days that the unused parts of commitments cover, as the mart's SQL gives them."""

SERVICE_COSTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account": pl.String,
    "service": pl.String,
    "currency": pl.String,
    "value_count": pl.Int64,
    Basis.BILLED.value: COST_TYPE,
    Basis.EFFECTIVE.value: COST_TYPE,
}
"""Columns of one side's frame: costs by account, service and currency. A cost is null where some
value does not state it."""


@dataclass(frozen=True)
class BillExtent:
    """The time at which a bill landed (ISO), and the latest day of its usage."""

    landed_at: str
    last_usage_day: date | None


@dataclass(frozen=True)
class CostExplorerExtent:
    """The time at which Cost Explorer's data landed (ISO), and its days.

    `days`: day -> whether AWS marks it as estimated; None if the data does not state it.
    """

    landed_at: str
    days: Mapping[date, bool | None]


@dataclass(frozen=True)
class CommonDays:
    """The days that a bill and Cost Explorer both have: all of the month, or some.

    `final_days`: those that AWS no longer changes. It changes days that it marks as estimated, and
    any day if it marks none and the data was fetched too early.
    """

    days: tuple[date, ...]
    is_whole_month: bool
    final_days: tuple[date, ...]
    description: str

    @property
    def may_change(self) -> bool:
        """Whether AWS may still change one of the days."""
        return len(self.final_days) < len(self.days)

    def only_final(self) -> CommonDays:
        """Return the days that AWS no longer changes."""
        return replace(self, days=self.final_days, is_whole_month=False)

    def sql(self, column: str) -> str:
        """Return an SQL condition that a time or date column is on one of the days."""
        if self.is_whole_month:
            return "true"
        days = ", ".join(f"date {text(day.isoformat())}" for day in self.days)
        return f"cast({column} as date) in ({days})"


def find_common_days(month: str, bill: BillExtent, cost_explorer: CostExplorerExtent) -> CommonDays:
    """Find the days that are complete in both; of an unfinished bill, those before its latest."""
    first, end = first_day(month), end_day(month)
    is_running = bill.landed_at[:10] < str(end + timedelta(days=1))
    last = bill.last_usage_day if is_running else None
    estimated = {
        day: is_estimated
        for day, is_estimated in sorted(cost_explorer.days.items())
        if first <= day < end and not (last and day >= last)
    }
    days = tuple(estimated)
    is_early = cost_explorer.landed_at[:10] < str(closed_from(month))
    final = tuple(
        day for day, flag in estimated.items() if not (flag or (flag is None and is_early))
    )
    if len(days) == (end - first).days:
        return CommonDays(days, True, final, ALL_DAYS)
    description = ""
    if days:
        span = f" from {days[0]} to {days[-1]}" if len(days) > 1 else f", {days[0]}"
        description = f"{counted(len(days), 'day')}{span}"
    if is_running:
        description += f" ({DIFFERENCE_REASONS[PARTIAL_DAY]})"
    return CommonDays(days, False, final, description)


def read_charges(connection: Connection, bill: str, days: CommonDays) -> pl.DataFrame:
    """Read a bill's charges of some days as SERVICE_COSTS.

    Taxes are a service of their own, as in Cost Explorer. The unused part of a commitment lies on
    the days that it covers (UNUSED_DAYS).
    """
    return _read_costs(
        connection,
        "select account, service, currency, sum(charges)::bigint as value_count,"
        " sum(billed) as billed_cost, sum(effective) as effective_cost from ("
        "select coalesce(SubAccountId, '') as account,"
        f" case when ChargeCategory = 'Tax' then {text(TAX)} else ServiceName end as service,"
        " BillingCurrency as currency, count(*) as charges, sum(BilledCost) as billed,"
        " sum(case when x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused' then 0"
        f" else EffectiveCost end) as effective from {COSTS}"
        f" where x_Source = {text(bill)} and {days.sql('ChargePeriodStart')} group by all"
        " union all select coalesce(sub_account_id, ''), service_name, billing_currency,"
        f" count(*), 0, sum(effective_cost) from {UNUSED_DAYS}"
        f" where source = {text(bill)} and {days.sql('charge_date')} group by all) group by all",
    )


def read_cost_explorer(
    connection: Connection, source: str, days: CommonDays, accounts_left_out: Set[str]
) -> pl.DataFrame:
    """Read Cost Explorer's values of some days as SERVICE_COSTS, without some accounts."""
    costs = _read_costs(
        connection,
        "select coalesce(sub_account_id, '') as account, coalesce(service_name, '') as service,"
        " billing_currency as currency, count(*) as value_count,"
        " case when count(billed_cost) = count(*) then sum(billed_cost) end as billed_cost,"
        " case when count(effective_cost) = count(*) then sum(effective_cost) end"
        f" as effective_cost from {COST_EXPLORER_DAYS}"
        f" where source = {text(source)} and {days.sql('charge_date')} group by all",
    )
    return costs.filter(~pl.col("account").is_in(sorted(accounts_left_out)))


def _read_costs(connection: Connection, query: str) -> pl.DataFrame:
    """Read a query's answer through Arrow, so that decimals stay decimals."""
    return pl.DataFrame(connection.sql(query).to_arrow_table(), schema=SERVICE_COSTS)


def read_digits(connection: Connection, cost_explorer: str) -> int:
    """Return the number of decimals of Cost Explorer's values: the most that any of them has."""
    decimals = "length(rtrim(split_part({}::varchar, '.', 2), '0'))"
    ((digits,),) = connection.execute(
        f"select greatest(max({decimals.format('billed_cost')}),"
        f" max({decimals.format('effective_cost')})) from {COST_EXPLORER_DAYS}"
        f" where source = {text(cost_explorer)}"
    ).fetchall()  # fetchall: DuckDB refuses a query while another result is unread
    return min(max(digits or 0, DIGITS_OF_CONSOLE), DIGITS_OF_API)


def read_accounts(connection: Connection) -> dict[str, set[str]]:
    """Read the accounts with costs, by source of either side; '' where it states none."""
    accounts: dict[str, set[str]] = {}
    rows = connection.execute(
        f"select x_Source, coalesce(SubAccountId, '') from {COSTS} group by all union all"
        f" select source, coalesce(sub_account_id, '') from {COST_EXPLORER_DAYS} group by all"
    ).fetchall()
    for source, account in rows:
        accounts.setdefault(source, set()).add(account)
    return accounts


def read_last_usage_days(connection: Connection) -> dict[str, date]:
    """Read the latest day of usage of each bill."""
    query = connection.execute(
        f"select x_Source, max(cast(ChargePeriodStart as date)) from {COSTS}"
        " where ChargeCategory = 'Usage' group by 1"
    )
    return dict(query.fetchall())


def break_down(costs: pl.DataFrame, currency: str, basis: Basis) -> pl.DataFrame:
    """Select the costs of one currency and basis, with the key by which services are compared.

    Returns:
        a frame of costs as cost_explorer_breakdown.py describes it.
    """
    chosen = costs.filter((pl.col("currency") == currency) & pl.col(basis.value).is_not_null())
    keys = [service_key(name) for name in chosen["service"]]
    return chosen.select(
        "account",
        pl.Series("service", keys, dtype=pl.String),
        "value_count",
        pl.col(basis.value).alias("cost"),
    )


def service_names(names: Iterable[str]) -> dict[str, str]:
    """Map each service key to the name to show: its last name, sorted by `is_main_name`."""
    return {service_key(name): name for name in sorted(dict.fromkeys(names), key=is_main_name)}
