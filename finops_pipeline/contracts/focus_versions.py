"""The views of a tenant's file that have exactly the columns of one FOCUS version.

Put here: the columns of FOCUS 1.0, 1.2 and 1.3, and the names of the views. Keep out: the meaning
of the columns (focus.py), making the views (marts/views.py).

Versions 1.0 to 1.3 add columns and rename none, and a column of 1.0 has the same meaning in 1.2. So
each version is a selection of columns, in the order of its specification (by name). 1.3 deprecates
ProviderName and PublisherName but still has them; it adds columns to those of 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline.contracts.column import JSON, TEXT, Column
from finops_pipeline.contracts.focus import FOCUS_1_2, FOCUS_1_3

_SINCE_1_1 = (
    "CapacityReservationId", "CapacityReservationStatus", "CommitmentDiscountQuantity",
    "CommitmentDiscountUnit", "ServiceSubcategory", "SkuMeter", "SkuPriceDetails",
)  # fmt: skip
_SINCE_1_2 = (
    "BillingAccountType", "InvoiceId", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "SubAccountType",
)  # fmt: skip

NOT_CARRIED = (
    Column("AllocatedMethodDetails", JSON, "How a shared cost was split."),
    Column("AllocatedMethodId", TEXT, "Method by which a shared cost was split."),
    Column("AllocatedResourceId", TEXT, "Resource that got a share of the cost."),
    Column("AllocatedResourceName", TEXT, "Name of that resource."),
    Column("AllocatedTags", JSON, "Tags of that resource."),
    Column("ContractApplied", JSON, "Contract commitments of the charge."),
)
"""Columns of FOCUS 1.3 that `costs` does not have: the view reads them from x_UnknownColumns, where
the charges of a FOCUS 1.3 export keep them as stated."""


@dataclass(frozen=True)
class FocusView:
    """A view over all charges with the columns of one version of FOCUS, and no others."""

    name: str
    version: str
    columns: tuple[Column, ...]
    meaning: str


def _by_name(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(sorted(columns, key=lambda column: column.name))


def focus_views() -> tuple[FocusView, ...]:
    """List the views, oldest version first: 43, 57 and 65 columns, and the alias of the last."""
    since_1_0 = {*_SINCE_1_1, *_SINCE_1_2}
    first = tuple(column for column in FOCUS_1_2 if column.name not in since_1_0)
    last = _by_name((*FOCUS_1_2, *FOCUS_1_3, *NOT_CARRIED))
    return (
        FocusView("costs_focus_1_0", "1.0", first, "Every charge, in the columns of FOCUS 1.0."),
        FocusView(
            "costs_focus_1_2", "1.2", FOCUS_1_2, "Every charge, in the columns of FOCUS 1.2."
        ),
        FocusView("costs_focus_1_3", "1.3", last, "Every charge, in the columns of FOCUS 1.3."),
        FocusView(
            "focus_data_table",
            "1.3",
            last,
            "The same as costs_focus_1_3, under the name that published FOCUS queries use.",
        ),
    )
