"""Comparisons of a source's month: with its files, manifest, Cost Explorer, invoices, other bills.

Put here: one row of `reconciliation`, and the comparisons that need only the ledger. Keep out:
comparisons that read charges (cost_explorer_comparison.py), states (statuses.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from finops_pipeline import clock
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.money import difference, plain


class ComparisonState(StrEnum):
    """The outcome of one comparison; docs/naming.md explains each."""

    AGREES = "agrees"
    DIFFERS = "differs"
    EXPLAINED = "explained"
    NOT_CHECKED = "not checked"


class CounterpartKind(StrEnum):
    """The counterparts of a month, in the order in which comparisons are shown."""

    FILES = "files"
    MANIFEST = "manifest"
    COST_EXPLORER = "cost explorer"
    INVOICE = "invoice"
    OTHER_BILL = "other bill"


class Basis(StrEnum):
    """The compared quantity: a number of rows, or a sum of money on one cost basis."""

    ROWS = "rows"
    BILLED = "billed_cost"
    EFFECTIVE = "effective_cost"
    NET_BILLED = "net_billed_cost"


BASIS_NAMES: dict[str, str] = {
    Basis.ROWS: "rows",
    Basis.BILLED: "billed cost",
    Basis.EFFECTIVE: "effective cost",
    Basis.NET_BILLED: "net billed cost",
}
"""The names of bases in sentences."""

COUNTERPART_NAMES: dict[str, str] = {
    CounterpartKind.FILES: "the files",
    CounterpartKind.MANIFEST: "the manifest",
    CounterpartKind.COST_EXPLORER: "Cost Explorer",
    CounterpartKind.INVOICE: "the invoice",
    CounterpartKind.OTHER_BILL: "other bill",
}
"""The names of counterparts in sentences."""

ALL_DAYS = "all days"
"""The start of the note of a comparison with Cost Explorer that covers the entire month."""

STORED_COMPARISONS = "reconciliation"
"""Name in the ledger's `partitions` under which comparisons that read charges are stored."""

_AMOUNTS = ("ours", "theirs", "difference", "tolerance")


@dataclass(frozen=True)
class Comparison:
    """One row of `reconciliation`; contracts/proofs.py explains each field.

    `ours` (the charges) and `theirs` (the counterpart) are columns of that published table.
    """

    source: str
    billing_period: str
    billing_currency: str | None
    against: CounterpartKind
    counterpart: str | None = None
    cost_basis: Basis | None = None
    service_name: str | None = None
    sub_account_id: str | None = None
    state: ComparisonState = ComparisonState.NOT_CHECKED
    ours: Decimal | None = None
    theirs: Decimal | None = None
    difference: Decimal | None = None
    tolerance: Decimal | None = None
    note: str | None = None

    def with_amounts(
        self, charges: Decimal, counterpart: Decimal, tolerance: Decimal
    ) -> Comparison:
        """Add both amounts; the comparison agrees if they differ by at most the tolerance."""
        gap = difference(charges, counterpart)
        return replace(
            self,
            state=ComparisonState.AGREES if abs(gap) <= tolerance else ComparisonState.DIFFERS,
            ours=charges,
            theirs=counterpart,
            difference=gap,
            tolerance=tolerance,
        )

    @property
    def is_whole(self) -> bool:
        """Whether it covers all services and accounts together."""
        return self.service_name is None and self.sub_account_id is None

    def describe_difference(self) -> str:
        """Describe what differs in one line with the exact amounts."""
        if self.against == CounterpartKind.OTHER_BILL:
            return self.note or ""
        basis = BASIS_NAMES.get(self.cost_basis or "", "")
        counterpart = COUNTERPART_NAMES[self.against]
        label = f" ({self.counterpart})" if self.counterpart else ""
        scope = ", ".join(
            f"{kind} {name}"
            for kind, name in (("account", self.sub_account_id), ("service", self.service_name))
            if name is not None
        )
        charges_amount, counterpart_amount, gap = (
            plain(amount or Decimal(0)) for amount in (self.ours, self.theirs, self.difference)
        )
        return (
            f"{basis}{f' of {scope}' if scope else ''} differs from {counterpart}{label} by"
            f" {gap} {self.billing_currency or ''}: {charges_amount} in the charges,"
            f" {counterpart_amount} in {counterpart}"
        )


@dataclass(frozen=True)
class BilledAmounts:
    """The billed amounts of a delivery by currency, in its files and in the charges.

    `net_charges` holds only currencies in which every charge states its net cost.
    `projects_not_built`: projects with outdated charges; if any, amounts cannot be compared.
    """

    delivery: DeliveryRecord
    files: dict[str, Decimal]
    charges: dict[str, Decimal]
    net_charges: dict[str, Decimal]
    projects_not_built: list[str]


def read_comparisons(record: PartitionRecord) -> list[Comparison]:
    """Read comparisons with charges from a record of the ledger or of a publication."""
    return [_read_comparison(row) for row in record.totals]


def _read_comparison(row: dict[str, Any]) -> Comparison:
    fields = dict(row)
    fields |= {name: Decimal(row[name]) for name in _AMOUNTS if row.get(name) is not None}
    fields["against"] = CounterpartKind(row["against"])
    fields["state"] = ComparisonState(row["state"])
    if row.get("cost_basis") is not None:
        fields["cost_basis"] = Basis(row["cost_basis"])
    return Comparison(**fields)


def store_comparisons(comparisons: Iterable[Comparison]) -> tuple[dict[str, Any], ...]:
    """Return comparisons as the ledger stores them, without null fields."""
    return tuple(
        {name: value for name, value in vars(comparison).items() if value is not None}
        for comparison in comparisons
    )


def not_built_reason(projects: Iterable[str]) -> str:
    """Name the projects whose charges are out of date with the delivery or the claims."""
    return f"the charges of {', '.join(projects)} have not been built from the current delivery yet"


def compare_with_files(amounts: BilledAmounts) -> list[Comparison]:
    """Compare rows kept with rows read and, per currency, charges with landed rows."""
    delivery = amounts.delivery
    base = Comparison(delivery.source, delivery.billing_period, None, CounterpartKind.FILES)
    note = "all currencies; rows in quarantine are not part of the charges"
    rows = replace(base, cost_basis=Basis.ROWS, note=note)
    comparisons = [
        rows.with_amounts(Decimal(delivery.rows_kept), Decimal(delivery.rows_read), Decimal(0))
    ]
    for currency, files_amount in amounts.files.items():
        comparison = replace(base, billing_currency=currency, cost_basis=Basis.BILLED)
        if amounts.projects_not_built:
            note = not_built_reason(amounts.projects_not_built)
        else:
            note = "exact to the last decimal, over the charges of all projects"
            comparison = comparison.with_amounts(
                amounts.charges[currency], files_amount, Decimal(0)
            )
        comparisons.append(replace(comparison, note=note))
    return comparisons


def compare_with_manifest(delivery: DeliveryRecord) -> Comparison:
    """Note what a manifest proves: each of its three forms lists files and columns, not rows.

    Source: AWS "Understanding your report versions" and "Understanding export delivery".
    """
    note = (
        f"AWS's manifests state no row counts; files named and read: {len(delivery.files)}"
        if delivery.execution_id
        else "the files came without a manifest"
    )
    kind = CounterpartKind.MANIFEST
    return Comparison(delivery.source, delivery.billing_period, None, kind, note=note)


def list_differences(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """List the differing ones: bills counted twice, entire months, details; the largest first."""
    differing = [
        comparison for comparison in comparisons if comparison.state == ComparisonState.DIFFERS
    ]
    return sorted(
        differing,
        key=lambda comparison: (
            comparison.against != CounterpartKind.OTHER_BILL,
            not comparison.is_whole,
            -abs(comparison.difference or Decimal(0)),
        ),
    )


def record_comparisons(
    source_month: tuple[str, str], fingerprint: str, comparisons: list[Comparison]
) -> PartitionRecord:
    """Make the ledger's record of a source's stored comparisons of a month."""
    source, month = source_month
    return PartitionRecord(
        table_name=STORED_COMPARISONS,
        key=source,
        billing_period=month,
        fingerprint=fingerprint,
        rows=len(comparisons),
        size_bytes=0,
        built_at=clock.now().isoformat(),
        totals=store_comparisons(comparisons),
    )
