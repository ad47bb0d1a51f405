"""Every form in which AWS delivers a bill, by name, and the estate's sources written in each.

Put here: the list of forms, and writing deliveries of them to where a source reads them. Keep
out: what is expected of them (test_forms.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from finops_pipeline.synthetic.cur_2 import cur_2_schema
from finops_pipeline.synthetic.declaration import tenants_yaml
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from finops_pipeline.synthetic.focus_export import FOCUS_COLUMNS
from finops_pipeline.synthetic.forms import (
    CREATE_NEW,
    CSV_GZ,
    CSV_ZIP,
    CUR_2,
    FOCUS,
    LEGACY,
    OVERWRITE,
    PARQUET,
    Form,
)
from finops_pipeline.synthetic.spec import Tenant, estate_tenants

SUBSET = (
    "line_item_usage_account_id", "line_item_usage_start_date", "line_item_line_item_type",
    "line_item_product_code", "line_item_unblended_cost", "line_item_currency_code",
    "line_item_tax_type", "product", "reservation_reservation_a_r_n",
    "reservation_effective_cost", "reservation_unused_recurring_fee",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "savings_plan_savings_plan_a_r_n", "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date", "savings_plan_used_commitment",
    "reservation_amortized_upfront_fee_for_billing_period",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
)  # fmt: skip
"""The columns that amounts depend on, and few others."""

RENAMED = tuple((name, f"c{n:03d}") for n, name in enumerate(cur_2_schema().names))
"""Every column under a meaningless name."""

CHOSEN = (
    *((name, "") for name in SUBSET if name not in ("product", "line_item_unblended_cost")),
    ("line_item_unblended_cost", "cost"),
    ("line_item_blended_cost", "line_item_unblended_cost"),
    ("product.product_name", "service"),
    ("product.region", ""),
    ("resource_tags.user_team", "team"),
    ("cost_category.area", "area"),
)
"""Some columns, one renamed, one that takes another's name, and single values of maps."""

FORMS = {
    "cur-gz-new": Form(LEGACY, CSV_GZ, CREATE_NEW),
    "cur-gz-over": Form(LEGACY, CSV_GZ, OVERWRITE),
    "cur-zip-new": Form(LEGACY, CSV_ZIP, CREATE_NEW),
    "cur-zip-over": Form(LEGACY, CSV_ZIP, OVERWRITE),
    "cur-parquet-new": Form(LEGACY, PARQUET, CREATE_NEW, files=3),
    "cur-parquet-over": Form(LEGACY, PARQUET, OVERWRITE),
    "cur-athena": Form(LEGACY, PARQUET, OVERWRITE, athena=True),
    "cur-snake": Form(LEGACY, CSV_GZ, OVERWRITE, snake_files=(0,)),
    "cur-mixed": Form(LEGACY, CSV_GZ, OVERWRITE, snake_files=(1,), files=3),
    "cur2-parquet-new": Form(CUR_2, PARQUET, CREATE_NEW),
    "cur2-parquet-over": Form(CUR_2, PARQUET, OVERWRITE),
    "cur2-gz-new": Form(CUR_2, CSV_GZ, CREATE_NEW, files=2),
    "cur2-gz-over": Form(CUR_2, CSV_GZ, OVERWRITE, period_key="billing_period"),
    "cur2-subset": Form(CUR_2, PARQUET, query=tuple((name, "") for name in SUBSET)),
    "cur2-renamed": Form(CUR_2, PARQUET, CREATE_NEW, query=RENAMED, files=2),
    "cur2-renamed-gz": Form(CUR_2, CSV_GZ, query=RENAMED),
    "cur2-chosen": Form(CUR_2, PARQUET, query=CHOSEN),
    "cur2-chosen-gz": Form(CUR_2, CSV_GZ, query=CHOSEN),
    "focus-1-0": Form(FOCUS, PARQUET, focus_version="1.0", focus_gaps=True),
    "focus-1-0-gz": Form(FOCUS, CSV_GZ, CREATE_NEW, focus_version="1.0", focus_gaps=True),
    "focus-1-2": Form(FOCUS, PARQUET, CREATE_NEW, files=2),
    "focus-1-2-gaps": Form(FOCUS, PARQUET, period_key="BILLING_PERIOD", focus_gaps=True),
    "focus-1-2-gz": Form(FOCUS, CSV_GZ, period_key="Billing_Period"),
    "focus-renamed": Form(
        FOCUS, PARQUET, query=tuple((name, f"my_{name.lower()}") for name in FOCUS_COLUMNS)
    ),
}


MONTH, SEED, LAST_MONTH = "2026-09", 7, "2026-10"
SOURCES = {"acme": "labs", "globex": "legacy"}
"""The estate's sources that are written in every form: small, with several projects each."""


@dataclass(frozen=True)
class Written:
    """A delivery in a form: the report's folder, and what it adds up to."""

    report: Path
    truth: dict[str, Any]


def write_form(folder: Path, tenant: str, name: str, month: str = MONTH, **more: Any) -> Written:
    """Write a tenant's month in the form of that name; the report lies below `folder`."""
    form, source = FORMS[name], SOURCES[tenant]
    fields: dict[str, Any] = {"tenant": tenant, "source": source, "month": month, "form": form}
    request = DeliveryRequest(seed=SEED, last_month=LAST_MONTH, **fields, **more)
    done = write_delivery(folder, request)
    spec = tenant_spec(tenant)
    report = folder / spec.location(spec.source(source).written_as(form))
    return Written(report, done.truth)


def tenant_spec(tenant: str) -> Tenant:
    """The estate's tenant of that name."""
    return next(t for t in estate_tenants(seed=SEED, last_month=LAST_MONTH) if t.name == tenant)


def declaration(locations: dict[str, dict[str, str]], **more: str) -> dict[str, Any]:
    """tenants.yaml as data: a source for each form (tenant -> form -> location), same projects.

    Args:
        more: further fields of every source; `{tenant}` in them is the tenant's name.
    """
    tenants: list[dict[str, Any]] = []
    for tenant, places in locations.items():
        spec = tenant_spec(tenant)
        projects = [p for p in spec.projects if SOURCES[tenant] in p.sources]
        spec_of_forms = replace(
            spec, projects=tuple(replace(p, sources=(*places,)) for p in projects)
        )
        (entry,) = yaml.safe_load(tenants_yaml([spec_of_forms]))["tenants"]
        extra = {key: value.format(tenant=tenant) for key, value in more.items()}
        entry["sources"] = [
            {"name": name, "format": FORMS[name].format, "location": place, **extra}
            for name, place in places.items()
        ]
        tenants.append(entry)
    return {"tenants": tenants}
