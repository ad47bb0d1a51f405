"""Small bills of one tenant in both forms of report, its charges, and the rules for all charges.

Put here: delivering a few lines as legacy CUR or CUR 2.0 beside a tenant that must not change, and
the rules of FOCUS 1.2 that hold for every charge. Keep out: what a type of line becomes
(test_line_items_*.py).
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.contracts.cur import canonical
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.money import exact_sum
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.tiers import LINE_ITEM_FORMS

Line = dict[str, str]
Charge = dict[str, Any]

MONTH, ACCOUNT = "2026-09", "111122223333"
COST, NET = "lineItem/UnblendedCost", "lineItem/NetUnblendedCost"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/one"
RESERVED = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/two"
IN_MAP = ("product/ProductName", "product/region")
"""Columns of legacy reports that are keys of the product map in CUR 2.0."""


def line(kind: str, cost: str, day: str = f"{MONTH}-05", **more: str) -> Line:
    """Return a line item; names in `more` are columns, with `_` for the slash."""
    columns = {key.replace("_", "/", 1): value for key, value in more.items()}
    return row(cost, day=day, **{"lineItem/LineItemType": kind, **columns})


def plan(kind: str, cost: str, day: str = f"{MONTH}-05", arn: str = PLAN, **more: str) -> Line:
    """A line of a Savings Plan."""
    return line(kind, cost, day, savingsPlan_SavingsPlanARN=arn, **more)


def reserved(
    kind: str, cost: str, day: str = f"{MONTH}-05", arn: str = RESERVED, **more: str
) -> Line:
    """A line of a reservation."""
    return line(kind, cost, day, reservation_ReservationARN=arn, **more)


def deliver_2(export: Path, lines: list[Line], month: str) -> None:
    """The lines as a CUR 2.0 data export: CUR 2.0 names, the product map as JSON in a cell."""
    rows = []
    for line in lines:
        columns = {canonical(k): v for k, v in line.items() if k not in IN_MAP}
        product = {canonical(k)[8:]: line[k] for k in IN_MAP if line.get(k)}
        rows.append(columns | {"product": json.dumps(product)})
    name = f"data/BILLING_PERIOD={month}/{export.name}-00001.csv.gz"
    write_csv(export / name, rows)
    manifest = export / f"metadata/BILLING_PERIOD={month}/{export.name}-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    columns = [{"name": column} for column in dict.fromkeys(k for r in rows for k in r)]
    content = {
        "executionId": "one",
        "columns": columns,
        "dataFiles": [f"s3://b/{export.name}/{name}"],
    }
    manifest.write_text(json.dumps(content))


@dataclass
class Bills:
    """acme, whose bills a test writes, and globex, which was ingested and stays as it is.

    `failed_checks` holds the reasons of the checks that failed in the last ingest, or ''.
    """

    made: TemporaryInstallation
    folder: Path
    form: str
    failed_checks: str = ""
    bills: dict[str, list[Line]] = field(default_factory=dict)

    def charges(self, lines: list[Line], month: str = MONTH) -> list[Charge]:
        """Ingest a month's bill; return all charges of acme, which obey the FOCUS rules."""
        charges = self.ingested(lines, month)
        obeys_focus(charges)
        assert self.rows("select rule, example from conformance where not is_known_gap") == []
        return charges

    def ingested(self, lines: list[Line], month: str = MONTH) -> list[Charge]:
        """Ingest a month's bill; return all charges of acme, whose sums equal its bills so far."""
        self.bills[month] = lines
        if self.form == "legacy-cur":
            deliver(self.folder / "acme/cur", lines, month)
        else:
            deliver_2(self.folder / "acme/cur", lines, month)
        report = self.made.ingest("acme")
        assert not report.failed
        self.failed_checks = "; ".join(
            step.reason for step in report.steps if step.stage == "warehouse"
        )
        charges = self.rows(
            "select * from costs order by billing_period, ChargePeriodStart, ChargeDescription,"
            " x_RowKind"
        )
        _is_the_bill([line for bill in self.bills.values() for line in bill], charges)
        assert self.rows("select sum(BilledCost) as b from costs", "globex") == [{"b": Decimal(3)}]
        return charges

    def rows(self, sql: str, tenant: str = "acme") -> list[Charge]:
        """Query a tenant's warehouse; return exact values."""
        with reading(self.made.installation.folder(tenant)) as connection:
            query = connection.execute(sql)
            names = [column[0] for column in query.description or []]
            return [dict(zip(names, values, strict=True)) for values in query.fetchall()]


@pytest.fixture(scope="session", params=LINE_ITEM_FORMS)
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A form, and a folder where acme delivers in it; globex claims the same account, ingested."""
    form, folder = str(request.param), tmp_path_factory.mktemp("prepared")
    text = "tenants:\n"
    for tenant, kind in (("acme", form), ("globex", "legacy-cur")):
        text += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: {kind}, location: {tenant}/cur}}]\n"
            f"  projects: [{{name: prod, accounts: ['{ACCOUNT}']}}]\n"
        )
    (folder / "tenants.yaml").write_text(text)
    deliver(folder / "globex/cur", [row("3")])
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    assert not made.ingest("globex").failed
    return form, folder


@pytest.fixture
def bills(prepared: tuple[str, Path], tmp_path: Path) -> Bills:
    """Two tenants with the same account; acme's bills are in the form of the parameter."""
    form, folder = prepared
    own_folder = Path(shutil.copytree(folder, tmp_path / "here"))
    made = TemporaryInstallation(own_folder / "data")
    made.apply(own_folder / "tenants.yaml")
    return Bills(made, own_folder, form)


def total(charges: Iterable[Charge], column: str, **where: Any) -> Decimal:
    """The sum of a column over the charges that have these values; nulls do not count."""
    chosen = only(charges, **where)
    return exact_sum(c[column] for c in chosen if c[column] is not None)


def only(charges: Iterable[Charge], **where: Any) -> list[Charge]:
    """The charges that have these values."""
    return [c for c in charges if all(c[name] == value for name, value in where.items())]


def single(charges: Iterable[Charge], **where: Any) -> Charge:
    """Return the only charge that has these values."""
    (charge,) = only(charges, **where)
    return charge


def _is_the_bill(lines: list[Line], charges: list[Charge]) -> None:
    """Check that gross and net sums equal the bill by currency; all charges have a net, or none."""
    for column, basis in ((COST, "BilledCost"), (NET, "x_NetUnblendedCost")):
        bill_costs: dict[str, list[Decimal]] = defaultdict(list)
        for line in lines:
            bill_costs[line["lineItem/CurrencyCode"]].append(Decimal(line.get(column) or 0))
        for currency, costs in bill_costs.items():
            assert total(charges, basis, BillingCurrency=currency) == exact_sum(costs), basis
    if all(line.get(NET) for line in lines):
        assert all(charge["x_NetUnblendedCost"] is not None for charge in charges)
        assert all(charge["x_NetEffectiveCost"] is not None for charge in charges)
    if not any(line.get(NET) for line in lines):
        assert all(charge["x_NetUnblendedCost"] is None for charge in charges)
        assert all(charge["x_NetEffectiveCost"] is None for charge in charges)


PRICES = ("ListUnitPrice", "ContractedUnitPrice")
PRICED = (*PRICES, "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId", "SkuPriceId")
TOGETHER = (
    ("SubAccountId", "SubAccountName"), ("SubAccountId", "SubAccountType"),
    ("ResourceId", "ResourceType"), ("RegionId", "RegionName"),
    ("CapacityReservationId", "CapacityReservationStatus"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    ("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit"),
)  # fmt: skip


HAS_NO_VALUE = ("Reserved", "Cancelling")
"""States of capacity reservations for which FOCUS 1.2 has no value."""


def obeys_focus(charges: list[Charge]) -> None:
    """Check the cross-column rules of FOCUS 1.2, for each charge and for each commitment."""
    units: dict[str, set[str]] = defaultdict(set)
    skus: dict[str, set[str]] = defaultdict(set)
    for c in charges:
        category, is_correction = c["ChargeCategory"], c["ChargeClass"] == "Correction"
        if category == "Tax":
            assert [name for name in PRICED if c[name] is not None] == []
            assert c["SkuMeter"] is None and c["SkuPriceDetails"] is None
        if category in ("Usage", "Purchase") and not is_correction:
            assert [name for name in PRICED if c[name] is None] == [], c
        for price, cost in zip(PRICES, ("ListCost", "ContractedCost"), strict=True):
            if c[price] is not None and c["PricingQuantity"] is not None and not is_correction:
                assert c[price] >= 0
                missed = abs(c[price] * c["PricingQuantity"] - c[cost])
                assert missed <= Decimal("1e-9") * max(abs(c[cost]), 1), c
        for first, second in TOGETHER:
            if second == "CapacityReservationStatus" and c[f"x_{second}"] in HAS_NO_VALUE:
                continue
            assert (c[first] is None) == (c[second] is None), (first, second, c)
        _obeys_commitments(c)
        if c["CommitmentDiscountUnit"]:
            units[c["CommitmentDiscountId"]].add(c["CommitmentDiscountUnit"])
        if c["SkuPriceId"]:
            skus[c["SkuPriceId"]].add(c["SkuId"])
        assert c["ChargePeriodEnd"] > c["ChargePeriodStart"]
    assert {arn: values for arn, values in units.items() if len(values) > 1} == {}
    assert {price: values for price, values in skus.items() if len(values) > 1} == {}


def _obeys_commitments(c: Charge) -> None:
    category, arn, status = (
        c["ChargeCategory"], c["CommitmentDiscountId"], c["CommitmentDiscountStatus"]
    )  # fmt: skip
    is_counted = arn is not None and category in ("Usage", "Purchase")
    if c["ChargeClass"] is None:
        assert (c["CommitmentDiscountQuantity"] is not None) == is_counted
        is_consumed = category == "Usage" and status != "Unused"
        assert (c["ConsumedQuantity"] is not None) == is_consumed
    assert (status is not None) == (arn is not None and category == "Usage")
    if status == "Unused":
        assert c["BilledCost"] == 0 and c["PricingCategory"] == "Committed"
        assert c["ConsumedQuantity"] is None
    if status == "Unused" or (arn is not None and category == "Purchase"):
        assert c["ResourceId"] == arn
    if category == "Purchase":
        assert c["PricingCategory"] != "Committed" and c["ChargeFrequency"] != "Usage-Based"
        assert arn is None or c["EffectiveCost"] == 0
