"""Declaring tenants from a file: what the registry alone cannot check.

Put here: rules between a declaration and the bills that have landed. Keep out: the rules of a
declaration itself (tenants/declare.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.statement_terms import FixedFee


def declare_file(installation: Installation, path: Path) -> list[str]:
    """Declare the tenants of a file; return one line per change.

    Raises:
        RegistryError: a declaration breaks a rule; the message names the place, and nothing is
            changed.
    """
    declared = read_declaration(path)
    for tenant in declared:
        _check_fees(installation, tenant, path)
    return apply(installation.registry, declared)


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
