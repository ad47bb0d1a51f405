"""FOCUS exports of each accepted version: what they state is kept, what they lack is filled.

Put here: columns of 1.0, 1.2 and 1.3, and costs that an export leaves null. Keep out: the views of
the versions (test_focus_views.py), AWS's own exports in every form (test_forms.py).
"""

from __future__ import annotations

import pytest

from tests.support.foreign_bills import ForeignBills, built_foreign, foreign

__all__ = ["built_foreign", "foreign"]

OF_1_0 = {
    "BilledCost": "10", "EffectiveCost": "9", "ListCost": "12", "ContractedCost": "11",
    "BillingAccountId": "111122223333", "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-09-01T00:00:00Z", "BillingPeriodEnd": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage", "ChargePeriodStart": "2026-09-05T00:00:00Z",
    "ChargePeriodEnd": "2026-09-05T01:00:00Z", "ServiceCategory": "Databases",
    "ServiceName": "Snowflake", "SubAccountId": "111122223333",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
}  # fmt: skip
PROVIDER = {"ProviderName": "AWS", "PublisherName": "Snowflake Inc."}
OF_1_2 = (
    OF_1_0 | PROVIDER | {"InvoiceId": "77", "BillingAccountType": "Payer", "SkuMeter": "Credit"}
)
OF_1_3 = (OF_1_0 | {"InvoiceId": "77"}) | {
    "ServiceProviderName": "Snowflake", "HostProviderName": "AWS",
    "AllocatedMethodId": "even", "AllocatedTags": '{"Team": "pay"}',
}  # fmt: skip
NAMES = ("ProviderName", "PublisherName", "ServiceProviderName", "HostProviderName", "InvoiceId")
VERSIONS = {
    "1.0": (OF_1_0 | PROVIDER, ("AWS", "Snowflake Inc.", "AWS", "AWS", None)),
    "1.2": (OF_1_2, ("AWS", "Snowflake Inc.", "AWS", "AWS", "77")),
    "1.3": (OF_1_3, ("Snowflake", "Snowflake", "Snowflake", "AWS", "77")),
    "1.3 with deprecated columns": (
        OF_1_3 | PROVIDER | {"HostProviderName": ""},
        ("AWS", "Snowflake Inc.", "Snowflake", None, "77"),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_taken_and_its_providers_stay(foreign: ForeignBills, version: str) -> None:
    row, names = VERSIONS[version]
    (charge,) = foreign.charges("focus", [row])
    assert tuple(charge[name] for name in NAMES) == names
    costs = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
    assert [float(charge[name]) for name in costs] == [10, 9, 12, 11]
    assert charge["x_FilledCosts"] is None
    (of_1_3,) = foreign.ask("select AllocatedMethodId, AllocatedTags, HostProviderName"
                            " from costs_focus_1_3")  # fmt: skip
    is_1_3 = version.startswith("1.3")
    allocated = ("even", '{"Team": "pay"}') if is_1_3 else (None, None)
    assert tuple(of_1_3.values()) == (*allocated, names[3])


def test_a_cost_that_is_null_is_filled_and_marked(foreign: ForeignBills) -> None:
    """FOCUS allows no null cost; a filled one must not be taken for a stated one."""
    variants = {
        "a": {"ContractedCost": "NULL"},
        "b": {"ContractedCost": "", "ListCost": ""},
        "c": {"ListCost": ""},
        "d": {},
    }
    rows = [OF_1_2 | costs | {"ChargeDescription": name} for name, costs in variants.items()]
    foreign.charges("focus", rows)
    filled = foreign.ask("select ContractedCost::int as c, ListCost::int as l, x_FilledCosts as f"
                         " from costs order by ChargeDescription")  # fmt: skip
    assert [tuple(row.values()) for row in filled] == [
        (10, 12, "ContractedCost"),
        (10, 10, "ContractedCost, ListCost"),
        (11, 11, "ListCost"),
        (11, 12, None),
    ]
