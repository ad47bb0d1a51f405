"""Statements of a month computed once more from the charges, by Polars and Python's decimals.

Put here: the second computation. Keep out: reading what is stated (test_statements.py).

It adds up charges by service, not by kind of cost, and knows no SQL of the first computation.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import polars as pl

from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.tenants.model import UNASSIGNED, Tenant
from finops_pipeline.tenants.statement_terms import CostBasis
from tests.support.mart_comparison import read_charges

Lines = dict[tuple[str, str, str, str], Decimal]
"""(project, currency, kind of line, service or name) -> amount."""

_COLUMNS = {
    CostBasis.BILLED: "BilledCost",
    CostBasis.EFFECTIVE: "EffectiveCost",
    CostBasis.NET_BILLED: "x_NetUnblendedCost",
    CostBasis.NET_EFFECTIVE: "x_NetEffectiveCost",
}
_SMALLEST = Decimal("1e-18")


def expected_lines(folder: TenantFolder, tenant: Tenant, month: str) -> Lines:
    """Compute the lines of all statements of a month, without lines of 0."""
    charges = read_charges(
        folder,
        ("billing_period", "project", "BillingCurrency", "ServiceName", *_COLUMNS.values()),
    ).filter(pl.col("billing_period") == month)
    lines: Lines = {}
    with localcontext(prec=60):
        for (currency,), of_currency in charges.group_by("BillingCurrency"):
            column = _column(of_currency, tenant.statements.basis)
            for row in of_currency.iter_rows(named=True):
                key = (row["project"], str(currency), "direct", row["ServiceName"])
                lines[key] = lines.get(key, Decimal(0)) + (row[column] or Decimal(0))
        lines |= _additions(lines, tenant)
    return {key: amount for key, amount in lines.items() if amount}


def _column(charges: pl.DataFrame, basis: CostBasis) -> str:
    """Return the column of a basis; a net one that a charge lacks falls back on the gross one."""
    column = _COLUMNS[basis]
    gross = "EffectiveCost" if "effective" in basis else "BilledCost"
    lacking = charges.filter(pl.col(column).is_null() & (pl.col(gross) != 0))
    return gross if lacking.height else column


def _additions(lines: Lines, tenant: Tenant) -> Lines:
    more: Lines = {}
    for project in tenant.all_projects:
        own, common = project.statements, tenant.statements
        percent = own.markup_percent if own.markup_percent is not None else common.markup_percent
        currencies = sorted({key[1] for key in lines if key[0] == project.name})
        for currency in currencies:
            total = sum(
                amount for key, amount in lines.items() if key[:2] == (project.name, currency)
            )
            added = (total * (percent or Decimal(0)) / 100).quantize(_SMALLEST, ROUND_HALF_UP)
            more[project.name, currency, "markup", "mark-up"] = added
        fee = own.fixed_fee or (common.fixed_fee if project.name != UNASSIGNED else None)
        if fee is not None and currencies:
            more[project.name, fee.currency, "fixed_fee", "fixed fee"] = fee.amount
    return more
