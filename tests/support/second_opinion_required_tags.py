"""Coverage of required sets of tags computed once more from the charges, by Polars and decimals.

Put here: the second computation. Keep out: what the mart gives (test_required_tags.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.required_tags import RequiredSet
from tests.support.mart_comparison import read_charges

Coverage = dict[tuple[str, str, str, str, str], tuple[Decimal, Decimal]]
"""(month, set, project, service, currency) -> taggable and tagged cost."""

_COLUMNS = (
    "billing_period", "project", "ServiceName", "x_ServiceCode", "BillingCurrency",
    "ChargeCategory", "x_RowKind", "CommitmentDiscountStatus", "ResourceId", "Tags",
    "EffectiveCost",
)  # fmt: skip


MEASURED = (
    "billing_period, required_set, project, service_name, billing_currency, taggable_cost,"
    " tagged_cost, untagged_cost"
)
"""The columns of the mart from which `measured_rows` makes a coverage."""


def measured_coverage(folder: TenantFolder) -> Coverage:
    """Read the coverage that a tenant's file has."""
    with reading(folder) as connection:
        query = connection.execute(f"select {MEASURED} from required_tag_coverage")
        return measured_rows(query.fetchall())


def measured_rows(rows: list[tuple[Any, ...]]) -> Coverage:
    """Add up rows of the mart over accounts; tagged and untagged cost must be all of it."""
    found: Coverage = {}
    for month, name, project, service, currency, taggable, tagged, untagged in rows:
        assert taggable == tagged + untagged
        key = (month, name, project, service, currency)
        before = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = (before[0] + taggable, before[1] + tagged)
    return found


def expected_coverage(folder: TenantFolder, tenant: Tenant) -> Coverage:
    """Compute the coverage of every declared set from the charges of a tenant."""
    environments = {project.name: project.environment for project in tenant.all_projects}
    spellings = {
        key: {_fold(each) for each in (text, *others)}
        for text, others in tenant.dimensions.tag_keys.items()
        for key in (text, *others)
    }
    found: Coverage = {}
    for charge in read_charges(folder, _COLUMNS).iter_rows(named=True):
        if not _is_taggable(charge):
            continue
        tags = json.loads(charge["Tags"] or "{}")
        for name, required in tenant.required_tags.items():
            if not _is_about(required, charge, environments):
                continue
            key = (charge["billing_period"], name, charge["project"])
            key += (charge["ServiceName"], charge["BillingCurrency"])
            taggable, tagged = found.get(key, (Decimal(0), Decimal(0)))
            cost = charge["EffectiveCost"]
            is_tagged = all(_has(tags, each, required, spellings) for each in required.keys)
            found[key] = (taggable + cost, tagged + (cost if is_tagged else 0))
    return found


def _is_taggable(charge: dict[str, Any]) -> bool:
    return bool(
        charge["ChargeCategory"] == "Usage"
        and charge["x_RowKind"] == "line"
        and charge["CommitmentDiscountStatus"] != "Unused"
        and charge["ResourceId"]
    )


def _is_about(required: RequiredSet, charge: dict[str, Any], environments: dict[str, str]) -> bool:
    services = {charge["ServiceName"], charge["x_ServiceCode"]}
    return (
        (not required.services or bool(services & set(required.services)))
        and (not required.projects or charge["project"] in required.projects)
        and (
            not required.environments
            or environments.get(charge["project"]) in required.environments
        )
    )


def _has(
    tags: dict[str, str], key: str, required: RequiredSet, spellings: dict[str, set[str]]
) -> bool:
    folded = spellings.get(key)
    values = [
        value.strip()
        for name, value in tags.items()
        if value is not None and (name == key if folded is None else _fold(name) in folded)
    ]
    allowed = required.values.get(key)
    return any(value and (allowed is None or value in allowed) for value in values)


def _fold(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "").replace(" ", "")
