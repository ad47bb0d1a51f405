"""Every source kind is in every table of source kinds; declarations become the right kind.

Put here: the tables by kind, and parsing a declared source. Keep out: fields of AWS sources and
places of other tenants (test_source_declarations.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from finops_pipeline.contracts.bills import FORMS
from finops_pipeline.errors import RegistryError
from finops_pipeline.focus.bill_conversions import CONVERSIONS
from finops_pipeline.landing.landers import FILE_LANDERS, LANDERS
from finops_pipeline.sources.access_check import PROBES
from finops_pipeline.sources.available_months import MONTH_LISTERS
from finops_pipeline.sources.layouts import LAYOUTS
from finops_pipeline.sources.policy import STATEMENTS
from finops_pipeline.tenants.source import (
    BILL_KINDS,
    BillSource,
    CostExplorerApiSource,
    CostExplorerCsvSource,
    Cur2Source,
    FocusSource,
    LegacyCurSource,
    Source,
    SourceFormat,
    SourceKind,
    parse_source,
)

ENDPOINT = "https://ce.us-east-1.amazonaws.com"
BY_KIND = [LANDERS, FILE_LANDERS, MONTH_LISTERS, PROBES, STATEMENTS]
BILL_FORMATS = {form for form in SourceFormat if form.is_bill}


def all_classes(base: type[Source]) -> list[type[Source]]:
    subclasses = base.__subclasses__()
    return subclasses + [cls for subclass in subclasses for cls in all_classes(subclass)]


@pytest.mark.parametrize("table", BY_KIND)
def test_every_kind_is_in_every_table(table: Mapping[SourceKind, Any]) -> None:
    assert table.keys() == set(SourceKind)


def test_every_kind_of_bill_is_in_the_tables_of_bills() -> None:
    assert LAYOUTS.keys() == set(BILL_KINDS)
    assert FORMS.keys() == CONVERSIONS.keys() == BILL_FORMATS


def test_every_kind_has_exactly_its_own_class() -> None:
    classes = [cls for cls in all_classes(Source) if "kind" in vars(cls)]
    assert sorted(cls.kind for cls in classes) == sorted(SourceKind)
    bills = {cls.kind for cls in classes if issubclass(cls, BillSource)}
    assert bills == set(BILL_KINDS)
    assert {SourceFormat(kind.value) for kind in BILL_KINDS} == BILL_FORMATS


def test_a_class_without_its_properties_cannot_be_used() -> None:
    class Inventory(Source):
        kind = SourceKind.FOCUS

    with pytest.raises(TypeError, match="abstract"):
        Inventory(name="things", format=SourceFormat.FOCUS)  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"format": "legacy-cur"}, LegacyCurSource),
        ({"format": "cur-2.0", "location": "s3://bills/acme"}, Cur2Source),
        ({"format": "focus", "location": "/exports/acme"}, FocusSource),
        ({"format": "cost-explorer", "location": ENDPOINT}, CostExplorerApiSource),
        ({"format": "cost-explorer"}, CostExplorerCsvSource),
        ({"format": "cost-explorer", "location": ""}, CostExplorerCsvSource),
    ],
)
def test_a_declaration_becomes_its_kind(fields: dict[str, str], expected: type[Source]) -> None:
    source = parse_source({"name": "payer", **fields})
    assert type(source) is expected
    assert parse_source(source) is source
    assert source.is_bill is (expected not in (CostExplorerApiSource, CostExplorerCsvSource))
    assert source.in_aws is fields.get("location", "").startswith(("s3:", "https:"))


@pytest.mark.parametrize("fields", [{}, {"format": None}, {"format": "csv"}, {"format": "FOCUS"}])
def test_a_format_that_is_not_supported_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RegistryError, match=r"one of legacy-cur, cur-2.0, focus, cost-explorer"):
        parse_source({"name": "payer", **fields})


def test_a_field_that_no_source_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="bucket"):
        parse_source({"name": "payer", "format": "focus", "bucket": "bills"})


def test_a_csv_source_reaches_nothing() -> None:
    with pytest.raises(RegistryError, match="profile, but reads nothing from AWS"):
        parse_source({"name": "days", "format": "cost-explorer", "profile": "acme"})
