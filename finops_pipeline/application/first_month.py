"""The first month of Dagster's partitions: that of the first bill, if it is known.

Put here: finding it without a request to AWS. Keep out: the partitions
(orchestration/partitions.py), months that are missing after it (gaps.py).

Dagster would otherwise show every month since FINOPS_FIRST_MONTH as missing. Its partitions are all
combinations of months and names, so there is one first month for all tenants (docs/decisions/0065).
"""

from __future__ import annotations

from contextlib import suppress

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.sources.available_months import list_months
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import is_s3


def find_first_month(installation: Installation) -> str:
    """Return the month of the first bill of any active tenant, or the setting if it is later.

    A source in S3 is not listed, because this is called whenever Dagster loads its definitions: its
    first month is the one that is declared (`from`), or else the setting. The same holds for a
    source that cannot be read. Without any bill, the result is the current month. A setting in the
    environment takes precedence over all of this.
    """
    settings = installation.settings
    if "first_month" in settings.model_fields_set:
        return settings.first_month
    months = [
        month
        for tenant in installation.registry.tenants()
        if tenant.is_active
        for source in tenant.sources
        if source.is_active and source.is_bill
        for month in _find_first(installation, tenant, source)
    ]
    months.append(clock.this_month())  # a fee paid in advance may be the only bill
    return max(min(months), settings.first_month)


def _find_first(installation: Installation, tenant: Tenant, source: Source) -> list[str]:
    """Return the first month of a source; nothing if it has no bill at all."""
    unknown = [source.from_month or installation.settings.first_month]
    if is_s3(source.location):
        return unknown
    try:
        months = list(list_months(tenant, source)) if source.location else []
    except (FinopsError, OSError):
        return unknown
    with suppress(FinopsError):
        ledger = open_ledger(installation.folder(tenant.name))
        months += [d.billing_period for d in ledger.delivery_summaries() if d.source == source.name]
    return sorted(month for month in months if source.covers(month))[:1]
