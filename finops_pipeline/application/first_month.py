"""The first month of Dagster's partitions: that of the first bill, if it is known.

Put here: finding it without a request to AWS. Keep out: the partitions
(orchestration/partitions.py), months that are missing after it (gaps.py).

Dagster would otherwise show every month since FINOPS_FIRST_MONTH as missing. Its partitions are all
combinations of months and names, so there is one first month for all tenants (docs/decisions/0065).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.watch_state import TenantWatch, read_watch
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.sources.available_months import list_months
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import is_s3


def find_first_month(installation: Installation, tenants: Sequence[Tenant] | None = None) -> str:
    """Return the month of the first bill of any active tenant, or the setting if it is later.

    The first month of a source is what the last look at it found (source_look.py). Before the first
    look, a folder of this machine is listed; a source in S3 is not, because this is called whenever
    Dagster loads its definitions: it has the months that are declared (`from`) and landed. Without
    any bill, the result is the current month. A setting in the environment takes precedence over
    all of this.

    Args:
        tenants: those that count; None: all.
    """
    settings = installation.settings
    if "first_month" in settings.model_fields_set:
        return settings.first_month
    months = [
        month
        for tenant in (installation.registry.tenants() if tenants is None else tenants)
        if tenant.is_active
        for watch in [read_watch(installation, tenant)]
        for source in tenant.sources
        if source.is_active and source.is_bill
        for month in _find_first(installation, tenant, source, watch)
    ]
    months.append(clock.this_month())  # a fee paid in advance may be the only bill
    return max(min(months), settings.first_month)


def _find_first(
    installation: Installation, tenant: Tenant, source: Source, watch: TenantWatch
) -> list[str]:
    """Return the first month of a source; nothing if no bill of it is known."""
    seen = watch.sources.get(source.name)
    if seen and seen.first_month:
        return [seen.first_month]
    months = list[str]()
    if is_s3(source.location):
        months += [source.from_month] if source.from_month else []
    else:
        try:
            months += list_months(tenant, source) if source.location else []
        except (FinopsError, OSError):
            return [source.from_month or installation.settings.first_month]
    with suppress(FinopsError):
        ledger = open_ledger(installation.folder(tenant.name))
        months += [d.billing_period for d in ledger.delivery_summaries() if d.source == source.name]
    return sorted(month for month in months if source.covers(month))[:1]
