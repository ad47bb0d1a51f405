"""Comparisons of a source's month: with its files, its manifest, Cost Explorer and invoices.

Put here: one row of `reconciliation`, and the comparisons that the ledger alone can make. Keep
out: those that read charges (versus_explorer.py), what follows for the month (reconcile.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.money import difference, plain

AGREES, DIFFERS, EXPLAINED, NOT_CHECKED = "agrees", "differs", "explained", "not checked"
FILES, MANIFEST, EXPLORER, INVOICE = "files", "manifest", "cost explorer", "invoice"
ROWS, BILLED, EFFECTIVE, NET = "rows", "billed_cost", "effective_cost", "net_billed_cost"
ALL_DAYS = "all days"
"""How the note of a comparison with Cost Explorer begins that is of the whole month."""
KEPT = "reconciliation"
"""Name in the ledger's `partitions` under which comparisons with charges are kept."""

BASIS_WORDS = {
    ROWS: "rows",
    BILLED: "billed cost",
    EFFECTIVE: "effective cost",
    NET: "net billed cost",
}
_AMOUNTS = ("ours", "theirs", "difference", "tolerance")


@dataclass(frozen=True)
class Comparison:
    """One row of `reconciliation`; see contracts/proofs.py for each field."""

    source: str
    billing_period: str
    billing_currency: str | None
    against: str
    counterpart: str | None = None
    cost_basis: str | None = None
    service_name: str | None = None
    sub_account_id: str | None = None
    state: str = NOT_CHECKED
    ours: Decimal | None = None
    theirs: Decimal | None = None
    difference: Decimal | None = None
    tolerance: Decimal | None = None
    note: str | None = None

    def judged(self, ours: Decimal, theirs: Decimal, tolerance: Decimal) -> Comparison:
        """The same with both amounts: it agrees when they differ by the tolerance at most."""
        off = difference(ours, theirs)
        return replace(
            self,
            state=AGREES if abs(off) <= tolerance else DIFFERS,
            ours=ours,
            theirs=theirs,
            difference=off,
            tolerance=tolerance,
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is of all services and accounts together."""
        return self.service_name is None and self.sub_account_id is None

    def words(self) -> str:
        """What differs, in one line with the exact amounts."""
        basis = BASIS_WORDS.get(self.cost_basis or "", "")
        whose = f" ({self.counterpart})" if self.counterpart else ""
        cut = ", ".join(
            f"{word} {name}"
            for word, name in (("account", self.sub_account_id), ("service", self.service_name))
            if name is not None
        )
        ours, theirs, off = (plain(getattr(self, name) or Decimal(0)) for name in _AMOUNTS[:3])
        return (
            f"{basis}{f' of {cut}' if cut else ''} differs from {WORDS[self.against]}{whose} by"
            f" {off} {self.billing_currency or ''}: charges {ours}, there {theirs}"
        )


WORDS = {
    FILES: "the files",
    MANIFEST: "the manifest",
    EXPLORER: "Cost Explorer",
    INVOICE: "the invoice",
}
"""Counterparts in a sentence."""


def kept_of(record: PartitionRecord) -> list[Comparison]:
    """Comparisons with charges as the ledger, or a publication, keeps them."""
    found = []
    for row in record.totals:
        amounts = {name: Decimal(row[name]) for name in _AMOUNTS if row.get(name) is not None}
        said: dict[str, Any] = {**row, **amounts}
        found.append(Comparison(**said))
    return found


def with_files(
    delivery: DeliveryRecord, billed: dict[str, tuple[Decimal, Decimal]], missing: Sequence[str]
) -> list[Comparison]:
    """Rows kept with rows read, and per currency what charges bill with what the rows bill.

    Args:
        billed: currency -> (of the charges, of the rows that landed).
        missing: projects whose charges are not built as they stand.
    """
    said = Comparison(delivery.source, delivery.billing_period, None, FILES)
    rows = replace(said, cost_basis=ROWS, note="all currencies; rows in quarantine are not kept")
    found = [rows.judged(Decimal(delivery.rows_kept), Decimal(delivery.rows_read), Decimal(0))]
    for currency, (ours, theirs) in billed.items():
        one = replace(said, billing_currency=currency, cost_basis=BILLED)
        if missing:
            words = f"charges of {', '.join(missing)} are not built from it as it stands yet"
            found.append(replace(one, note=words))
        else:
            note = "exact: every decimal of the charges of all projects"
            found.append(replace(one.judged(ours, theirs, Decimal(0)), note=note))
    return found


def with_manifest(delivery: DeliveryRecord) -> Comparison:
    """AWS's manifests name files and columns; none of their three forms counts rows.

    Source: AWS "Understanding your report versions" and "Understanding export delivery".
    """
    files = len(delivery.files)
    note = (
        f"AWS's manifests state no row counts; files named and read: {files}"
        if delivery.execution_id
        else "the files came without a manifest"
    )
    return Comparison(delivery.source, delivery.billing_period, None, MANIFEST, note=note)


def worst_first(found: Iterable[Comparison]) -> list[Comparison]:
    """Those that differ, wholes before details, the largest difference first."""
    mine = [one for one in found if one.state == DIFFERS]
    return sorted(mine, key=lambda one: (not one.is_whole, -abs(one.difference or Decimal(0))))


def as_kept(found: Iterable[Comparison]) -> tuple[dict[str, Any], ...]:
    """Comparisons as the ledger keeps them: what says nothing is left out."""
    return tuple(
        {name: value for name, value in vars(one).items() if value is not None} for one in found
    )
