"""The reference bill: hand-written lines of every type, each with the charges that it becomes.

Put here: bringing the bill of data/reference_bill.yaml in, as a legacy report and as CUR 2.0, and
comparing every column of every charge. Keep out: the rules, which stand beside each line with their
sources; bills of many lines (test_truth.py), rules between lines (test_line_items_*.py).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.contracts import cur
from finops_pipeline.contracts.column import MONEY, TIME
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import checks
from finops_pipeline.money import exact_sum
from tests.conftest import TemporaryInstallation
from tests.support.bills import write_csv
from tests.support.line_item_bills import obeys_focus
from tests.support.second_opinions_of_marts import mart_differences

Row = dict[str, Any]
Charges = dict[str, dict[str | None, list[Row]]]
"""Tenant -> line -> its charges; None where no line is meant."""
BILL = yaml.load((Path(__file__).parent / "data/reference_bill.yaml").read_text(), yaml.BaseLoader)
IDS = [entry["id"] for entry in BILL["lines"]]
FORMS = {"acme": "legacy-cur", "globex": "cur-2.0"}
COLUMNS = [c for c in CHARGE if c.name not in ("x_Source", "x_SourceFile", "x_LineItemId")]
"""Every column of a charge but those that say where it comes from."""


def bill_lines() -> list[dict[str, str]]:
    """The lines of the bill, complete."""
    every = BILL["every_line"]
    return [every | entry["line"] | {"identity/LineItemId": entry["id"]} for entry in BILL["lines"]]


def expected(entry: Row) -> list[Row]:
    """The charges of a line, complete: values of every charge, of its kind, and its own."""
    charges = []
    for charge in entry["charges"]:
        stated = BILL["every_charge"] | BILL["kinds"][charge["kind"]] | charge
        charges.append({c.name: _value(stated.get(c.name), c.type) for c in COLUMNS})
    return charges


def _value(text: str | None, kind: str) -> Any:
    if not text:
        return None
    if kind == MONEY:
        return Decimal(text)
    return datetime.fromisoformat(text) if kind == TIME else text


def write_cur_2(path: Path, lines: list[dict[str, str]]) -> None:
    """Write lines as AWS writes CUR 2.0: floats, times, the maps product and tags."""
    headers = list(dict.fromkeys(header for line in lines for header in line))
    of_product = [h for h in headers if h.startswith("product/")]
    of_tags = [h for h in headers if h.startswith("resourceTags/")]
    columns: dict[str, pa.Array] = {}
    for header in headers:
        if header in of_product or header in of_tags:
            continue
        name = cur.canonical(header)
        values = [line.get(header) or None for line in lines]
        if cur.COLUMNS.get(name) == MONEY:
            columns[name] = pa.array([None if v is None else float(v) for v in values])
        elif cur.COLUMNS.get(name) == TIME:
            times = [None if v is None else datetime.fromisoformat(v[:19]) for v in values]
            columns[name] = pa.array(times, pa.timestamp("ms"))
        else:
            columns[name] = pa.array(values, pa.string())
    maps = pa.map_(pa.string(), pa.string())
    product = [{cur.canonical(h)[8:]: line[h] for h in of_product if h in line} for line in lines]
    tags = [{h.replace("user:", ""): line[h] for h in of_tags if h in line} for line in lines]
    columns["product"] = pa.array([list(keys.items()) for keys in product], maps)
    columns["tags"] = pa.array([list(keys.items()) for keys in tags], maps)
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="module")
def charges(tmp_path_factory: pytest.TempPathFactory) -> Charges:
    """Both tenants have the bill: acme as legacy CSV, globex as CUR 2.0. The checks pass."""
    folder = tmp_path_factory.mktemp("reference")
    accounts = sorted({line["lineItem/UsageAccountId"] for line in bill_lines()})
    declared = [
        {
            "name": tenant,
            "sources": [{"name": "payer", "format": form}],
            "projects": [{"name": "prod", "accounts": accounts}],
        }
        for tenant, form in FORMS.items()
    ]
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": declared}))
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    write_csv(folder / "acme.csv", bill_lines())
    write_cur_2(folder / "globex.parquet", bill_lines())
    by_tenant = {}
    for tenant, suffix in (("acme", "csv"), ("globex", "parquet")):
        path = folder / f"{tenant}.{suffix}"
        registered = made.installation.registry.tenant(tenant)
        report = ingest_files(made.installation, FilesByHand(registered.name, "payer", [path]))
        assert not report.failed, report.failed
        reason = next(step.reason for step in report.steps if step.stage == "warehouse")
        # a single line states its net cost
        warned = [check.name for check in checks() if f"{check.name}:" in reason]
        assert warned == ["net_basis_whole"], reason
        by_line = defaultdict(list)
        with reading(made.installation.folder(tenant)) as connection:
            for charge in fetch_dicts(connection.execute("from costs order by x_RowKind")):
                by_line[charge["x_LineItemId"]].append(charge)
            rules = "select rule, example from conformance where not is_known_gap"
            broken = connection.execute(rules).fetchall()
        assert len(broken) == 1 and "capacity-new-status" in str(broken), broken
        by_tenant[tenant] = dict(by_line)
        assert mart_differences(made.installation.folder(tenant)) == []
    return by_tenant


@pytest.mark.parametrize("tenant", FORMS)
@pytest.mark.parametrize("entry", BILL["lines"], ids=IDS)
def test_a_line_becomes_its_charges(charges: Charges, entry: Row, tenant: str) -> None:
    # what negations leave is no line's charge
    line = None if entry["id"] == "plan-negation-rest" else entry["id"]
    found = [
        {column.name: charge[column.name] for column in COLUMNS}
        for charge in charges[tenant].get(line, [])
    ]
    assert found == expected(entry), entry["rule"]


@pytest.mark.parametrize("tenant", FORMS)
def test_the_charges_are_the_bill(charges: Charges, tenant: str) -> None:
    """Their sums are the bill's, by currency, and together they obey FOCUS."""
    every = [charge for of_line in charges[tenant].values() for charge in of_line]
    for currency in ("USD", "EUR"):
        billed = [c["BilledCost"] for c in every if c["BillingCurrency"] == currency]
        stated = [
            Decimal(line["lineItem/UnblendedCost"])
            for line in bill_lines()
            if line["lineItem/CurrencyCode"] == currency
        ]
        assert exact_sum(billed) == exact_sum(stated)
    # FOCUS has no value for a status that AWS adds
    obeys_focus([c for c in every if c["x_LineItemId"] != "capacity-new-status"])


def test_the_bill_has_every_type_of_line() -> None:
    """At least 60 lines, each with a rule and its source, of every type that has a rule."""
    assert len(set(IDS)) == len(IDS) >= 60
    assert all(entry["rule"] and entry["source"] for entry in BILL["lines"])
    types = {line["lineItem/LineItemType"] for line in bill_lines()}
    assert types >= set(cur.KNOWN_LINE_TYPES)
