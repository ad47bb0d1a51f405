"""Rules of conformance as a user meets them: messages, recorded findings and exit codes.

Put here: `finops validate`, the table `conformance`, documented gaps, the rules as data. Keep out:
the errors that each rule must notice (test_corruptions.py), sums (test_identities.py).
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.focus_rules import row_rules, rules
from finops_pipeline.contracts.service_categories import SERVICE_SUBCATEGORIES
from finops_pipeline.contracts.services import SERVICES
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.published_files import overwrite, published_files
from tests.support.rewound_folder import rewound_by

MONTH = "2026-09"
HEADER = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd",
    "ChargeCategory", "ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd", "EffectiveCost",
    "ListCost", "ContractedCost", "ServiceCategory", "ServiceName", "SubAccountId",
    "ProviderName", "PublisherName", "InvoiceIssuerName", "PricingQuantity", "PricingUnit",
    "PricingCategory", "ListUnitPrice", "ContractedUnitPrice", "ConsumedQuantity", "ConsumedUnit",
    "SkuId", "SkuPriceId",
)  # fmt: skip
TRUE = dict(zip(HEADER, (
    "2", "111122223333", "USD", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z",
    "Usage", "Usage-Based", "2026-09-05T00:00:00Z", "2026-09-06T00:00:00Z", "2",
    "2", "2", "Compute", "AWS Lambda", "111122223333",
    "AWS", "AWS", "AWS", "4", "Requests",
    "Standard", "0.5", "0.5", "4", "Requests", "SKU1", "SKU1.PRICE",
), strict=True))  # fmt: skip


def make_two(folder: Path) -> None:
    """Two tenants: globex with a correct report, acme without charges."""
    deliver(folder / "globex", [row("1"), row("2")])
    (folder / "tenants.yaml").write_text(
        "tenants:\n  - name: acme\n    sources:\n      - {name: export, format: focus}\n"
        "  - name: globex\n    sources:\n      - name: payer\n        format: legacy-cur\n"
        f"        location: {folder / 'globex'}\n"
    )
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    assert not made.ingest("globex").failed


pristine, tmp_path = rewound_by(make_two)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Two tenants as `make_two` made them."""
    return empty


def import_rows(lake: TemporaryInstallation, tmp_path: Path, *rows: dict[str, str]) -> str:
    """Import a FOCUS export of these rows for acme; returns the command's stderr."""
    write_csv(tmp_path / "export.csv", list(rows))
    return lake.finops("ingest-file", "acme/export", str(tmp_path / "export.csv")).stderr


def list_findings(lake: TemporaryInstallation, tenant: str, ok: bool) -> list[dict[str, str]]:
    out = lake.finops("validate", tenant, "--month", MONTH, "--format", "csv", ok=ok).stdout
    return list(csv.DictReader(io.StringIO(out)))


def test_true_charges_break_nothing(two: TemporaryInstallation, tmp_path: Path) -> None:
    assert "breaks FOCUS rules" not in import_rows(two, tmp_path, TRUE)
    assert list_findings(two, "acme", ok=True) == list_findings(two, "globex", ok=True) == []
    output = two.finops("validate", "globex").stdout
    assert output == f"{len(rules())} rules tested on 1 file of charges: none broken\n"


def test_a_broken_rule_is_reported_recorded_and_exits_1(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """The run, the table, the status screen and the command report it; sums stay as billed."""
    wrong = TRUE | {"ListCost": "3", "ChargeFrequency": "Often"}
    assert "breaks FOCUS rules" in import_rows(two, tmp_path, TRUE, wrong)
    findings = list_findings(two, "acme", ok=False)
    assert [finding["rule"] for finding in findings] == [
        "ChargeFrequency allowed",
        "ListCost is price times quantity",
    ]
    assert {(finding["project"], finding["source"], finding["rows"]) for finding in findings} == {
        ("unassigned", "export", "1")
    }
    assert json.loads(findings[0]["example"])["ChargeFrequency"] == "Often"
    recorded = two.rows("acme", "select * from conformance order by rule")
    assert [(finding["rule"], finding["rows"], finding["example"]) for finding in recorded] == [
        (finding["rule"], finding["rows"], finding["example"]) for finding in findings
    ]
    assert "ListCost is price times quantity" in two.finops("status", "acme", MONTH).stdout
    assert two.rows("acme", "select sum(billed_cost)::varchar as b from monthly_costs") == [
        {"b": "4.000000000000000000"}
    ]
    assert list_findings(two, "globex", ok=True) == []
    assert two.rows("globex", "select * from conformance") == []
    # The next correct delivery clears the findings.
    import_rows(two, tmp_path, TRUE)
    assert two.rows("acme", "select * from conformance") == []


def test_a_documented_gap_of_an_export_is_no_failure(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    gap = {k: v for k, v in TRUE.items() if k not in ("SkuId", "SkuPriceId", "ListUnitPrice")}
    assert "breaks FOCUS rules" not in import_rows(two, tmp_path, gap)
    findings = list_findings(two, "acme", ok=True)
    assert {finding["rule"] for finding in findings} == {
        "ListUnitPrice on usage",
        "SkuId on usage",
        "SkuPriceId on usage",
    }
    assert {finding["is_known_gap"] for finding in findings} == {"True"}
    assert "known gap" in two.finops("validate", "acme").stdout


def test_text_in_a_bill_neither_controls_a_terminal_nor_forges_a_line(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    name = "N\x1b]0;taken\x07\nok      charges_equal_bill (1 month)"
    wrong = TRUE | {"ServiceName": name, "ChargeFrequency": name}
    output = import_rows(two, tmp_path, wrong)
    output += two.finops("validate", "acme", ok=False).stdout
    late = row("7", day="2026-08-30", **{
        "bill/BillingPeriodStartDate": "2026-09-01T00:00:00Z", "product/ProductName": name,
    })  # fmt: skip
    deliver(tmp_path / "globex", [row("1"), row("2"), late], assembly="two")
    output += two.finops("ingest", "globex").stderr
    output += two.finops("check", "globex", ok=False).stdout
    output += two.finops("status", "globex", MONTH).stdout
    assert "taken" in output and "FAILED  charges_in_period" in output
    assert "\x1b" not in output and "\x07" not in output
    forged = [
        line for line in output.splitlines() if line.startswith("ok      charges_equal_bill (1")
    ]
    assert len(forged) == 1, "only the line that finops check prints itself"


def test_a_damaged_foreign_or_missing_file_is_reported_and_not_read(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    import_rows(two, tmp_path, TRUE | {"BilledCost": "777"})
    (file,) = published_files(two.folder("globex"), "costs")
    (foreign,) = published_files(two.folder("acme"), "costs")
    for content in (file.read_bytes()[:-100], foreign.read_bytes()):
        overwrite(file, content)
        for command in ("validate", "check"):
            refused = two.finops(command, "globex", ok=False)
            assert "is not the file that was published" in refused.stderr
            assert "777" not in refused.stdout + refused.stderr
    file.unlink()
    assert "is missing" in two.finops("validate", "globex", ok=False).stderr


def test_validation_needs_a_tenant_with_published_charges(two: TemporaryInstallation) -> None:
    assert "is not known" in two.finops("validate", "umbrella", ok=False).stderr
    assert "no warehouse yet" in two.finops("validate", "acme", ok=False).stderr
    stderr = two.finops("validate", "globex", "--month", "2020-01", ok=False).stderr
    assert "no charges of tenant globex are published for 2020-01" in stderr


def test_every_rule_has_a_name_a_statement_and_a_section() -> None:
    every = list(rules().values())
    names = {column.name for column in CHARGE}
    assert len(rules()) == len({rule.name for rule in every}) > 100
    assert all(rule.says and rule.section for rule in every)
    sections = {"own", "NullHandling", "KeyValueFormat", "CurrencyFormat"}
    assert {rule.section for rule in every} <= names | sections
    for column in CHARGE:
        if not column.nullable:
            assert f"{column.name} given" in {rule.name for rule in row_rules()}


def test_every_service_has_a_category_of_focus() -> None:
    for _, name, category, subcategory in SERVICES:
        assert SERVICE_SUBCATEGORIES[subcategory] == category, name
