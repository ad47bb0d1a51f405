"""A month's charges against Cost Explorer, and what the charges of single invoices bill.

Put here: which months are due, and which bill meets which Cost Explorer. Keep out: the sums
(explorer_sums.py), judging them (explorer_cuts.py), giving days to projects (explorer.py).

Reads: costs, cost_explorer_daily, ledger   Writes: ledger
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from finops_pipeline import clock
from finops_pipeline.contracts.known_differences import is_main_name, service_key
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, Limits, scratch_connection, texts
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.cost_explorer_days import read_days
from finops_pipeline.ledger.invoice_entries import read_invoices
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord, fingerprint_of
from finops_pipeline.reconciliation.comparisons import (
    BASIS_WORDS,
    BILLED,
    EFFECTIVE,
    EXPLORER,
    INVOICE,
    KEPT,
    NET,
    Comparison,
    as_kept,
)
from finops_pipeline.reconciliation.cost_explorer_breakdown import Sides, compare_cuts
from finops_pipeline.reconciliation.cost_explorer_daily import explorer_deliveries
from finops_pipeline.reconciliation.cost_explorer_totals import (
    Days,
    Row,
    accounts_of,
    answers,
    charges,
    cut_of,
    days_of_both,
    digits_of,
    last_days,
)

_RULES = "2"
"""To be raised when a rule of comparing changes: every month is then compared anew."""


_AS_GOOD = Fraction(3, 4)
"""A Cost Explorer whose accounts fit a bill that much as well as the best one is compared, too."""


def compare_charges(publication: Publication, limits: Limits) -> list[str]:
    """Put on a publication what months' charges compare to, where either side has changed.

    Only months that have Cost Explorer's days, or an invoice with an id, are looked at.

    Returns:
        the months that were compared.
    """
    costs = publication.partitions(layout.COSTS)
    explorer = publication.partitions(layout.EXPLORER)
    before = publication.partitions(KEPT)
    wanted: dict[str, set[str]] = {month: set() for _, month in explorer}
    for entry in read_invoices(publication.ledger):
        if entry.invoice_id:
            wanted.setdefault(entry.billing_period, set()).add(entry.invoice_id)
    done = []
    for month in sorted({*wanted, *(month for _, month in before)}):
        ids = sorted(wanted.get(month, ()))
        inputs = [_inputs(records, month) for records in (costs, explorer)]
        fingerprint = fingerprint_of([_RULES, ids, *inputs])
        kept = {source: r.fingerprint for (source, of), r in before.items() if of == month}
        landed = [d for d in publication.ledger.deliveries(month=month) if d.rows_kept]
        if set(kept.values()) == {fingerprint}:
            continue
        found = _Month(publication, month, landed, ids).compared(limits)
        for source in sorted({*found, *kept}):
            publication.build(_record(source, month, fingerprint, found.get(source, [])))
        done.append(month)
    return done


def _inputs(records: dict[tuple[str, str], PartitionRecord], month: str) -> list[list[str]]:
    return sorted([key, r.fingerprint] for (key, of), r in records.items() if of == month)


def _record(source: str, month: str, fingerprint: str, found: list[Comparison]) -> PartitionRecord:
    return PartitionRecord(
        table_name=KEPT,
        key=source,
        billing_period=month,
        fingerprint=fingerprint,
        rows=len(found),
        size_bytes=0,
        built_at=clock.now().isoformat(),
        totals=as_kept(found),
    )


class _Month:
    """Both sides of one month, as the publication will leave them.

    Args:
        landed: deliveries of the month that have rows.
        ids: of invoices that were entered.
    """

    def __init__(
        self, publication: Publication, month: str, landed: list[DeliveryRecord], ids: list[str]
    ) -> None:
        self._publication = publication
        self._month = month
        self._ids = ids
        self._explorers = explorer_deliveries(landed, month)
        names = {d.source for d in self._explorers}
        self._bills = {d.source: d for d in landed if d.source not in names}

    def compared(self, limits: Limits) -> dict[str, list[Comparison]]:
        """What came of it, by source of bills."""
        found: dict[str, list[Comparison]] = {source: [] for source in self._bills}
        costs, explorer = self._files(layout.COSTS), self._files(layout.EXPLORER)
        if not found or not costs:
            return found
        with scratch_connection(self._publication.spill, limits) as connection:
            _view(connection, layout.COSTS, costs)
            for one in self._of_invoices(connection) if self._ids else ():
                found[one.source].append(one)
            if explorer:
                _view(connection, layout.EXPLORER, explorer)
                for one in self._of_explorers(connection):
                    found[one.source].append(one)
        return found

    def _files(self, table: str) -> list[str]:
        records = self._publication.partitions(table, self._month)
        folder = self._publication.folder
        paths = (
            self._publication.current(folder.partition(table, key, self._month))
            for (key, _), record in sorted(records.items())
            if record.rows
        )
        return [str(path) for path in paths if path is not None]

    def _of_invoices(self, connection: Connection) -> Iterator[Comparison]:
        """What the charges of the invoices that were entered bill; 0 where none has the id."""
        rows = connection.execute(
            "select x_Source, BillingCurrency, InvoiceId, sum(BilledCost),"
            " case when count(x_NetUnblendedCost) = count(*) then sum(x_NetUnblendedCost) end"
            f" from {layout.COSTS} where InvoiceId in (select unnest(?::varchar[])) group by all",
            [self._ids],
        ).fetchall()
        sums = {tuple(key): cost for *key, cost, _ in rows}
        nets = {tuple(key): net for *key, _, net in rows if net is not None}
        for source, delivery in sorted(self._bills.items()):
            for currency in delivery.billed_by_currency():
                for name in self._ids:
                    key = (source, currency, name)
                    said = Comparison(source, self._month, currency, INVOICE, name, BILLED)
                    yield replace(said, ours=sums.get(key, Decimal(0)))
                    if key in nets:
                        yield replace(said, cost_basis=NET, ours=nets[key])

    def _of_explorers(self, connection: Connection) -> Iterator[Comparison]:
        accounts = accounts_of(connection)
        last = last_days(connection)
        for bill, delivery in sorted(self._bills.items()):
            met = False
            for explorer in self._explorers:
                why = self._meets(accounts, bill, explorer.source)
                if why is None:
                    continue
                met = True
                known = read_days(self._publication.ledger, explorer.source)
                days = days_of_both(
                    self._month, known, delivery.landed_at, last.get(bill), explorer.landed_at
                )
                if not why and not days.days:
                    why = "Cost Explorer and the bill have no whole day in common"
                if why:
                    yield from self._not_checked(bill, explorer.source, why)
                else:
                    yield from self._pair(connection, accounts, bill, explorer.source, days)
            if not met:
                why = "Cost Explorer and the bill have no accounts in common"
                yield from self._not_checked(bill, None, why)

    def _meets(self, accounts: dict[str, set[str]], bill: str, explorer: str) -> str | None:
        """Whether they tell of the same accounts: '' yes, None no, else why it is not known.

        They do when Cost Explorer has at least half of the bill's accounts, and none of the others
        fits it much better: an account that moves between two payers is on both bills, and makes
        the one's Cost Explorer no counterpart of the other's bill.
        """
        mine, theirs = accounts.get(bill, set()), accounts.get(explorer, set())
        if theirs and theirs != {""}:
            best = max(_fit(mine, accounts.get(one.source, set())) for one in self._explorers)
            fits = _fit(mine, theirs) >= best * _AS_GOOD
            return "" if fits and len(mine & theirs) * 2 >= len(mine) > 0 else None
        if len({frozenset(accounts.get(name, ())) for name in self._bills}) > 1:
            return "its answer is not by account, and the bills are of several sets of accounts"
        return ""

    def _not_checked(self, bill: str, explorer: str | None, why: str) -> Iterator[Comparison]:
        for currency in self._bills[bill].billed_by_currency():
            yield Comparison(bill, self._month, currency, EXPLORER, explorer, note=why)

    def _pair(
        self,
        connection: Connection,
        accounts: dict[str, set[str]],
        bill: str,
        explorer: str,
        days: Days,
    ) -> Iterator[Comparison]:
        """One bill and one Cost Explorer, in every currency of the bill and on both bases."""
        of_others = {a for name in self._bills for a in accounts.get(name, ())} - accounts[bill]
        ours = charges(connection, bill, days)
        theirs = answers(connection, explorer, days, of_others)
        currencies = {row.currency for row in theirs}
        words = days.words + ("; accounts of other bills left out" if of_others else "")
        shared = {
            "digits": digits_of(connection, explorer),
            "excused": days.may_change,
            "scope": words,
            "names": _names([*theirs, *ours]),
        }
        for currency in self._bills[bill].billed_by_currency():
            said = Comparison(bill, self._month, currency, EXPLORER, explorer)
            if currencies and currency not in currencies:
                yield replace(
                    said, note=f"Cost Explorer answers in {', '.join(sorted(currencies))}"
                )
                continue
            mine = [row for row in theirs if row.currency == currency]
            for basis in (BILLED, EFFECTIVE):
                one = replace(said, cost_basis=basis)
                if any((r.billed if basis == BILLED else r.effective) is None for r in mine):
                    why = f"Cost Explorer did not say the {BASIS_WORDS[basis]} of all these days"
                    yield replace(one, note=why)
                    continue
                cuts = (cut_of(ours, currency, basis), cut_of(mine, currency, basis))
                yield from compare_cuts(one, Sides(*cuts, **shared))  # type: ignore[arg-type]


def _fit(mine: set[str], theirs: set[str]) -> Fraction:
    """How much of both sides' accounts both have."""
    return Fraction(len(mine & theirs), len(mine | theirs) or 1)


def _view(connection: Connection, table: str, files: list[str]) -> None:
    connection.execute(
        f"create temp view {table} as from"
        f" read_parquet({texts(files)}, hive_partitioning = false, union_by_name = true)"
    )


def _names(rows: list[Row]) -> dict[str, str]:
    """Service key -> the name to show: the bill's, or Cost Explorer's."""
    found = sorted({row.service: None for row in rows}, key=is_main_name)
    return {service_key(name): name for name in found}
