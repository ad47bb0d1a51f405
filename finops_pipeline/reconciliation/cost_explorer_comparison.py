"""Comparison of a month's charges with Cost Explorer, and sums of charges by invoice.

Put here: which months are due, and which bill is compared with which Cost Explorer. Keep out:
comparing bills with each other (repeated_bills.py), reading sums (cost_explorer_totals.py),
comparing them (cost_explorer_breakdown.py), assigning days to projects (cost_explorer_daily.py).

Reads: costs, cost_explorer_daily, ledger   Writes: ledger
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import polars as pl

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, Limits, scratch_connection
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import files_relation
from finops_pipeline.ledger.cost_explorer_days import read_days
from finops_pipeline.ledger.invoice_entries import read_invoices
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord, fingerprint_of
from finops_pipeline.reconciliation.comparisons import (
    BASIS_NAMES,
    STORED_COMPARISONS,
    Basis,
    Comparison,
    ComparisonState,
    CounterpartKind,
    record_comparisons,
)
from finops_pipeline.reconciliation.cost_explorer_breakdown import Breakdown, compare_breakdown
from finops_pipeline.reconciliation.cost_explorer_daily import list_cost_explorer_deliveries
from finops_pipeline.reconciliation.cost_explorer_totals import (
    UNUSED_DAYS,
    BillExtent,
    CommonDays,
    CostExplorerExtent,
    break_down,
    find_common_days,
    read_accounts,
    read_charges,
    read_cost_explorer,
    read_digits,
    read_last_usage_days,
    service_names,
)
from finops_pipeline.reconciliation.invoice_sums import sum_by_invoice
from finops_pipeline.reconciliation.repeated_bills import (
    SharedAccount,
    compare_bills,
    find_shared_accounts,
    months_of_several_bills,
)

_RULES_VERSION = "5"
"""Raise this when a rule or the text of a note changes; every month is then compared again."""

_NEARLY_AS_GOOD = Fraction(3, 4)
"""A Cost Explorer source is compared if its overlap with a bill is this share of the best one's."""


@dataclass(frozen=True)
class Rules:
    """SQL of the library: the check `bills_apart`, and the mart of UNUSED_DAYS."""

    bills_apart: str
    unused_days: str


def compare_charges(publication: Publication, limits: Limits, rules: Rules) -> list[str]:
    """Put comparisons of charges on a publication, for months in which either side has changed.

    Only months with several bills, with Cost Explorer's days, or with an invoice that has an id,
    are considered.

    Returns:
        the months that were compared.
    """
    costs = publication.partitions(layout.COSTS)
    cost_explorer = publication.partitions(layout.COST_EXPLORER_DAYS)
    stored = publication.partitions(STORED_COMPARISONS)
    invoice_ids: defaultdict[str, set[str]] = defaultdict(set)
    for invoice in read_invoices(publication.ledger):
        if invoice.invoice_id:
            invoice_ids[invoice.billing_period].add(invoice.invoice_id)
    compared = []
    partition_months = {month for _, month in (*cost_explorer, *stored)}
    partition_months |= months_of_several_bills(costs)
    for month in sorted(partition_months | invoice_ids.keys()):
        ids = sorted(invoice_ids[month])
        inputs = [_input_fingerprints(records, month) for records in (costs, cost_explorer)]
        fingerprint = fingerprint_of([_RULES_VERSION, repr(rules), ids, *inputs])
        before = {source: r.fingerprint for (source, m), r in stored.items() if m == month}
        if set(before.values()) == {fingerprint} and not publication.is_fresh:
            continue
        comparisons = _MonthComparison(publication, month, ids).compare(limits, rules)
        for source in sorted({*comparisons, *before}):
            rows = comparisons.get(source, [])
            publication.build(record_comparisons((source, month), fingerprint, rows))
        compared.append(month)
    return compared


def _input_fingerprints(
    records: dict[tuple[str, str], PartitionRecord], month: str
) -> list[list[str]]:
    return sorted([key, r.fingerprint] for (key, m), r in records.items() if m == month)


@dataclass(frozen=True)
class _Pair:
    """A bill and the Cost Explorer source that it is compared with, on the days that both have."""

    bill: DeliveryRecord
    cost_explorer: str
    days: CommonDays
    accounts_of_other_bills: frozenset[str]


class _MonthComparison:
    """Both sides of one month, as they will be after the publication.

    Args:
        invoice_ids: the ids of invoices that were entered.
    """

    def __init__(self, publication: Publication, month: str, invoice_ids: list[str]) -> None:
        self._publication = publication
        self._month = month
        self._invoice_ids = invoice_ids
        landed = [d for d in publication.ledger.deliveries(month=month) if d.rows_kept]
        self._cost_explorers = list_cost_explorer_deliveries(landed, month)
        names = {delivery.source for delivery in self._cost_explorers}
        costs = publication.partitions(layout.COSTS, month).values()
        built = {source for record in costs for source in record.inputs}
        self._bills = {d.source: d for d in landed if d.source in built - names}

    def compare(self, limits: Limits, rules: Rules) -> dict[str, list[Comparison]]:
        """Compare the month's charges; return the comparisons by source of bills.

        Raises:
            DamagedFile, ForeignFile: a file of either side is not the one that was published.
        """
        comparisons: dict[str, list[Comparison]] = {source: [] for source in self._bills}
        costs = self._partition_files(layout.COSTS)
        cost_explorer = self._partition_files(layout.COST_EXPLORER_DAYS)
        shared = self._find_shared_accounts()
        if not comparisons or not costs or not (cost_explorer or shared or self._invoice_ids):
            return comparisons
        with scratch_connection(self._publication.spill, limits) as connection:
            _create_view(connection, COSTS, costs)
            rows: list[Comparison] = []
            if shared:
                rows += compare_bills(connection, self._month, shared, rules.bills_apart)
            if self._invoice_ids:
                rows += sum_by_invoice(connection, self._month, self._bills, self._invoice_ids)
            if cost_explorer:
                _create_view(connection, COST_EXPLORER_DAILY, cost_explorer)
                connection.execute(f"create temp table {UNUSED_DAYS} as {rules.unused_days}")
                rows += self._compare_with_cost_explorer(connection)
        for comparison in rows:
            comparisons[comparison.source].append(comparison)
        return comparisons

    def _find_shared_accounts(self) -> list[SharedAccount]:
        if len(self._bills) < 2:
            return []
        slices = list(self._publication.partitions(layout.COSTS, self._month))
        totals = self._publication.bill_totals(slices)
        return find_shared_accounts(total for total in totals if total.source in self._bills)

    def _partition_files(self, table: str) -> list[Path]:
        records = self._publication.partitions(table, self._month)
        paths = (
            self._publication.checked(table, key, self._month)
            for (key, _), record in sorted(records.items())
            if record.rows
        )
        return [path for path in paths if path is not None]

    def _compare_with_cost_explorer(self, connection: Connection) -> Iterator[Comparison]:
        accounts = read_accounts(connection)
        last_days = read_last_usage_days(connection)
        for bill, delivery in sorted(self._bills.items()):
            is_matched = False
            for cost_explorer in self._cost_explorers:
                obstacle = self._find_obstacle(accounts, bill, cost_explorer.source)
                if obstacle is None:
                    continue
                is_matched = True
                days = self._common_days(delivery, last_days.get(bill), cost_explorer)
                if not obstacle and not days.days:
                    obstacle = "Cost Explorer and the bill have no complete day in common"
                if obstacle:
                    yield from self._not_checked(bill, cost_explorer.source, obstacle)
                    continue
                left_out = self._accounts_of_other_bills(accounts, bill)
                pair = _Pair(delivery, cost_explorer.source, days, left_out)
                yield from self._compare_pair(connection, pair)
            if not is_matched:
                note = "Cost Explorer and the bill have no accounts in common"
                yield from self._not_checked(bill, None, note)

    def _common_days(
        self, bill: DeliveryRecord, last_usage_day: date | None, cost_explorer: DeliveryRecord
    ) -> CommonDays:
        days = read_days(self._publication.ledger, cost_explorer.source)
        return find_common_days(
            self._month,
            BillExtent(bill.landed_at, last_usage_day),
            CostExplorerExtent(cost_explorer.landed_at, days),
        )

    def _accounts_of_other_bills(self, accounts: dict[str, set[str]], bill: str) -> frozenset[str]:
        all_accounts = {a for name in self._bills for a in accounts.get(name, ())}
        return frozenset(all_accounts - accounts[bill])

    def _find_obstacle(
        self, accounts: dict[str, set[str]], bill: str, cost_explorer: str
    ) -> str | None:
        """Find out whether both cover the same accounts.

        They do when Cost Explorer has at least half of the bill's accounts and no other Cost
        Explorer source fits much better. An account that moves between two payers is on both bills,
        and must not make one payer's Cost Explorer a counterpart of the other's bill.

        Returns:
            '' if they do, None if they do not, otherwise why this cannot be determined.
        """
        bill_accounts = accounts.get(bill, set())
        cost_explorer_accounts = accounts.get(cost_explorer, set())
        if cost_explorer_accounts and cost_explorer_accounts != {""}:
            best = max(
                _overlap(bill_accounts, accounts.get(delivery.source, set()))
                for delivery in self._cost_explorers
            )
            fits = _overlap(bill_accounts, cost_explorer_accounts) >= best * _NEARLY_AS_GOOD
            common = len(bill_accounts & cost_explorer_accounts)
            return "" if fits and common * 2 >= len(bill_accounts) > 0 else None
        if len({frozenset(accounts.get(name, ())) for name in self._bills}) > 1:
            return (
                "its costs are not broken down by account, but the tenant's bills cover different"
                " accounts"
            )
        return ""

    def _not_checked(self, bill: str, cost_explorer: str | None, note: str) -> Iterator[Comparison]:
        kind = CounterpartKind.COST_EXPLORER
        for currency in self._bills[bill].billed_by_currency():
            yield Comparison(bill, self._month, currency, kind, cost_explorer, note=note)

    def _compare_pair(self, connection: Connection, pair: _Pair) -> Iterator[Comparison]:
        """Compare one bill with one Cost Explorer, in every currency of the bill."""
        bill, left_out = pair.bill.source, pair.accounts_of_other_bills
        digits = read_digits(connection, pair.cost_explorer)
        scope = pair.days.description + (
            "; accounts of other bills are left out" if left_out else ""
        )

        def read(days: CommonDays) -> Breakdown:
            charges = read_charges(connection, bill, days)
            cost_explorer = read_cost_explorer(connection, pair.cost_explorer, days, left_out)
            names = service_names([*cost_explorer["service"], *charges["service"]])
            return Breakdown(charges, cost_explorer, digits, days.may_change, scope, names)

        breakdown = read(pair.days)
        has_final = pair.days.may_change and pair.days.final_days
        final = read(pair.days.only_final()) if has_final else breakdown
        kind = CounterpartKind.COST_EXPLORER
        for currency in pair.bill.billed_by_currency():
            base = Comparison(bill, self._month, currency, kind, pair.cost_explorer)
            yield from _compare_currency(base, currency, breakdown, final)


def _create_view(connection: Connection, table: Table, files: list[Path]) -> None:
    """Make a table's name a view of its files of the month, older ones included."""
    connection.execute(f"create temp view {table.name} as {files_relation(files, table.columns)}")


def _compare_currency(
    base: Comparison, currency: str, breakdown: Breakdown, final: Breakdown
) -> Iterator[Comparison]:
    """Compare one currency on both cost bases.

    Args:
        breakdown: both sides in all currencies and on both bases (SERVICE_COSTS).
        final: the same on the days that AWS no longer changes; where those differ, nothing that
            AWS may still change explains the difference.
    """
    currencies = sorted(set(breakdown.cost_explorer["currency"]))
    if currencies and currency not in currencies:
        yield replace(base, note=f"Cost Explorer reports in {', '.join(currencies)}")
        return
    in_currency = breakdown.cost_explorer.filter(pl.col("currency") == currency)
    for basis in (Basis.BILLED, Basis.EFFECTIVE):
        comparison = replace(base, cost_basis=basis)
        if in_currency[basis.value].null_count():
            note = f"Cost Explorer does not state the {BASIS_NAMES[basis]} of all these days"
            yield replace(comparison, note=note)
            continue
        sides, final_sides = (
            replace(
                side,
                charges=break_down(side.charges, currency, basis),
                cost_explorer=break_down(side.cost_explorer, currency, basis),
            )
            for side in (breakdown, final)
        )
        if compare_breakdown(comparison, final_sides)[0].state == ComparisonState.DIFFERS:
            sides = replace(sides, may_change=False)
        yield from compare_breakdown(comparison, sides)


def _overlap(accounts: set[str], other_accounts: set[str]) -> Fraction:
    """Return the share of accounts that are in both, of those that are in either."""
    return Fraction(len(accounts & other_accounts), len(accounts | other_accounts) or 1)
