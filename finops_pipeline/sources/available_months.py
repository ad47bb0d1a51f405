"""The billing periods that a source offers now, listed according to its kind.

Put here: one function for each kind of source. Keep out: choosing which of them a run processes
(application), the layout of a report's folder (layouts.py).
"""

from __future__ import annotations

from collections.abc import Callable

from finops_pipeline import clock
from finops_pipeline.sources.cost_explorer_api import available_months
from finops_pipeline.sources.data_exports import billing_periods
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import Source, SourceKind, Tenant
from finops_pipeline.tenants.source import BILL_KINDS, COLLECTED_KINDS


def list_months(tenant: Tenant, source: Source) -> list[str]:
    """List the billing periods (`YYYY-MM`) that a source offers, oldest first.

    Raises:
        RegistryError: the source's location cannot be opened.
        ManifestProblem: the location holds no report of the source's format.
    """
    return MONTH_LISTERS[source.kind](tenant, source)


def _list_delivered_months(tenant: Tenant, source: Source) -> list[str]:
    return billing_periods(source, open_location(tenant, source))


def _list_answered_months(tenant: Tenant, source: Source) -> list[str]:
    return available_months(clock.now().date())


def _list_no_months(tenant: Tenant, source: Source) -> list[str]:
    return []


MONTH_LISTERS: dict[SourceKind, Callable[[Tenant, Source], list[str]]] = {
    **dict.fromkeys(BILL_KINDS, _list_delivered_months),
    SourceKind.COST_EXPLORER_API: _list_answered_months,
    SourceKind.COST_EXPLORER_CSV: _list_no_months,
    **dict.fromkeys(COLLECTED_KINDS, _list_no_months),
}
"""How the months of each kind of source are listed."""
