"""Declaring tenants from a file: what can only be checked against what was loaded.

Put here: rules between a declaration and the data of its tenants. Keep out: the declaration itself
and merging it (tenants/declare.py), commands (cli).
"""

from __future__ import annotations

from collections.abc import Iterator
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
from finops_pipeline.tenants.statement_terms import FixedFee


def apply_declaration(installation: Installation, file: Path) -> list[str]:
    """Merge a tenants.yaml into the registry; return a line for each change.

    Raises:
        RegistryError: the file breaks a rule, a shared cost is split by a metric without values, or
            a fee is in a currency that no bill has; the message names the place, and nothing is
            changed.
    """
    declared = read_declaration(file)
    for tenant in declared:
        _check_fees(installation, tenant, file)
    stored = {tenant.name: tenant for tenant in installation.registry.tenants()}
    for tenant in declared:
        if any(entry.method is SplitMethod.METRIC for entry in tenant.shared_costs):
            try:
                _check_metrics(installation, tenant, stored.get(tenant.name))
            except RegistryError as error:
                raise RegistryError(f"{file}, {error.found}", error.expected, error.cure) from error
    return apply(installation.registry, declared, file)


def _check_metrics(installation: Installation, tenant: Tenant, stored: Tenant | None) -> None:
    loaded = set[str]()
    if stored is not None:
        files = read_stored_files(open_ledger(installation.folder(tenant.name)))
        loaded = {place.key for place in files if place.table_name == BUSINESS_METRICS}
    before = stored.shared_costs if stored else ()
    check_metrics(tenant.name, tenant.shared_costs, before, loaded)


def _check_fees(installation: Installation, tenant: Tenant, path: Path) -> None:
    """Check that every fixed fee has a currency of the tenant's bills, if any has landed."""
    fees = list(_fees(tenant))
    if not fees:
        return
    deliveries = open_ledger(installation.folder(tenant.name)).deliveries()
    currencies = sorted({currency for each in deliveries for currency in each.billed_by_currency()})
    for place, fee in fees:
        if currencies and fee.currency not in currencies:
            raise RegistryError(
                f"{path}, tenant {tenant.name}: {place}statements.fixed_fee.currency is"
                f" {fee.currency}, but its bills are in {' and '.join(currencies)}",
                "a fee in the currency of a bill",
                "Correct the currency, or leave the fee out",
            )


def _fees(tenant: Tenant) -> Iterator[tuple[str, FixedFee]]:
    if tenant.statements.fixed_fee is not None:
        yield "", tenant.statements.fixed_fee
    for project in tenant.projects:
        if project.statements.fixed_fee is not None:
            yield f"project {project.name!r}: ", project.statements.fixed_fee
