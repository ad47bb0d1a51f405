"""Declaring tenants from a file: what can only be checked against what was loaded.

Put here: rules between a declaration and the data of its tenants. Keep out: the declaration itself
and merging it (tenants/declare.py), commands (cli).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.layout import BUSINESS_METRICS
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.shared_cost import SplitMethod
from finops_pipeline.tenants.shared_costs import check_metrics


def apply_declaration(installation: Installation, file: Path) -> list[str]:
    """Merge a tenants.yaml into the registry; return a line for each change.

    Raises:
        RegistryError: the file breaks a rule, or a shared cost is split by a metric without values;
            the message names the place, and nothing is changed.
    """
    declared = read_declaration(file)
    stored = {tenant.name: tenant for tenant in installation.registry.tenants()}
    for tenant in declared:
        if any(entry.method is SplitMethod.METRIC for entry in tenant.shared_costs):
            try:
                _check_metrics(installation, tenant, stored.get(tenant.name))
            except RegistryError as error:
                raise RegistryError(f"{file}, {error.found}", error.expected, error.cure) from error
    return apply(installation.registry, declared)


def _check_metrics(installation: Installation, tenant: Tenant, stored: Tenant | None) -> None:
    loaded = set[str]()
    if stored is not None:
        files = read_stored_files(open_ledger(installation.folder(tenant.name)))
        loaded = {place.key for place in files if place.table_name == BUSINESS_METRICS}
    before = stored.shared_costs if stored else ()
    check_metrics(tenant.name, tenant.shared_costs, before, loaded)
