"""The deliveries of one source's month: their history, and the difference between two of them.

Put here: choosing the deliveries and months of a request. Keep out: comparing them
(reconciliation/delivery_history.py), missing months (gaps.py), how the result is shown (cli).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.application.gaps import Gap, list_gaps
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.reconciliation.delivery_history import (
    DeliveryComparison,
    DeliveryVersion,
    choose_delivery,
    compare_deliveries,
    list_deliveries,
    list_versions,
)
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.months import check_month


@dataclass(frozen=True)
class SourceMonth:
    """One billing period of one source of a tenant."""

    tenant: str
    source: str
    month: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.source} {self.month}"


@dataclass(frozen=True)
class DeliveryHistory:
    """Every delivery of a month, oldest first, and a summary row per delivery and currency."""

    deliveries: Sequence[DeliveryRecord]
    summaries: Sequence[DeliveryVersion]


def read_delivery_history(installation: Installation, source_month: SourceMonth) -> DeliveryHistory:
    """Read every delivery of a source's month.

    Raises:
        Unknown: there is no such tenant or source, or none has landed.
        RegistryError: the month is not of the form YYYY-MM.
    """
    month = check_month(source_month.month)
    tenant = installation.registry.tenant(source_month.tenant)
    source = tenant.source(source_month.source)
    folder = installation.folder(tenant.name)
    settle(folder)
    records = list_deliveries(open_ledger(folder), tenant.name, source.name, month)
    return DeliveryHistory(records, list_versions(records))


def compare_versions(
    history: DeliveryHistory, before: str | None = None, after: str | None = None
) -> DeliveryComparison | None:
    """Compare two deliveries of a month.

    Args:
        history: the deliveries.
        before: id of the older one; None: the one that landed before the newer one.
        after: id of the newer one; None: the published one.

    Returns:
        the comparison; None if there is no earlier delivery to compare with.

    Raises:
        Unknown: an id names no delivery of the month, or several.
    """
    records = list(history.deliveries)
    newer = choose_delivery(records, after) if after is not None else records[-1]
    if before is not None:
        return compare_deliveries(choose_delivery(records, before), newer)
    position = records.index(newer)
    return compare_deliveries(records[position - 1], newer) if position else None


@dataclass(frozen=True)
class GapReport:
    """The missing months of some tenants, the names of these, and the errors of others."""

    tenants: Sequence[str]
    gaps: Sequence[Gap]
    failures: Sequence[tuple[str, FinopsError]] = ()


def report_gaps(installation: Installation, tenant: str | None) -> GapReport:
    """List the missing months of one tenant, or of every active tenant if none is named.

    Of several tenants, the error of one stops no other.

    Raises:
        Unknown: there is no such tenant.
        RegistryError: the named tenant is disabled or removed.
        FinopsError: the ledger of the named tenant cannot be used.
    """
    registry = installation.registry
    if tenant is not None:
        declared = registry.tenant(tenant)
        require_active("tenant", tenant, declared)
        return GapReport([declared.name], list_gaps(installation, declared))
    names, gaps, failures = list[str](), list[Gap](), list[tuple[str, FinopsError]]()
    for declared in [tenant for tenant in registry.tenants() if tenant.is_active]:
        try:
            gaps += list_gaps(installation, declared)
            names.append(declared.name)
        except Exception as error:
            expected = as_expected(error)
            if expected is None:
                raise
            failures.append((declared.name, expected))
    return GapReport(names, gaps, failures)
