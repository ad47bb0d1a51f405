"""Words as types: charges are the same with and without them, even if a word is not known.

Put here: the columns of charges that are written as words. Keep out: what the charges are
(test_line_items_*.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.focus import month_pass, vocabulary
from finops_pipeline.lake.duck import Connection
from finops_pipeline.log import LOGGER
from finops_pipeline.tenants.model import Project, Tenant
from finops_pipeline.tenants.source import LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.globex import ask
from tests.support.line_item_bills import line, plan, reserved

ACCOUNTS = ("111122223333", "222233334444")
MANY_ROWS = 10_000_000

LINES = [
    row("3", ACCOUNTS[1], product_ProductName="Odd 'name' \"quoted\" ü", product_sku="SKU1"),
    line("Usage", "1.25", lineItem_ProductCode="AmazonEC2", lineItem_UsageType="SpotUsage:m5"),
    line("Usage", "2", lineItem_AvailabilityZone="eu-west-1a", pricing_unit="GB-Mo"),
    line("Tax", "0.5", lineItem_TaxType="VAT"),
    line("Credit", "-0.5", lineItem_LineItemDescription="A credit"),
    line("Quite new", "0.1", lineItem_LegalEntity="A seller"),
    plan("SavingsPlanCoveredUsage", "4", savingsPlan_SavingsPlanEffectiveCost="3"),
    plan("SavingsPlanNegation", "-4.5"),
    plan(
        "SavingsPlanRecurringFee",
        "5",
        savingsPlan_TotalCommitmentToDate="5",
        savingsPlan_UsedCommitment="3",
    ),
    reserved("DiscountedUsage", "0", reservation_EffectiveCost="1"),
    reserved("RIFee", "9", reservation_UnusedRecurringFee="2"),
]
"""Charges of every category, the unused parts of two fees, and a remainder of negations."""

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bill") / "bill.csv"
    columns = dict.fromkeys(name.replace("_", "/", 1) for item in LINES for name in item)
    write_csv(path, [dict.fromkeys(columns, "") | _slashed(item) for item in LINES])
    return path


def _slashed(item: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "/", 1): value for name, value in item.items()}


@pytest.fixture
def charges_of(empty: TemporaryInstallation, bill: Path) -> Callable[[str], Rows]:
    """Ingest the bill as a new tenant's; return its charges."""

    def ingest(tenant: str) -> Rows:
        projects = [Project(name="prod", accounts=[ACCOUNTS[0]])]
        declared = Tenant(name=tenant, sources=[LegacyCurSource(name="payer")], projects=projects)
        empty.installation.registry.save(declared)
        report = ingest_files(empty.installation, FilesByHand(tenant, "payer", [bill]))
        assert not report.failed, report.failed
        sql = "select * from costs order by all"
        return ask(sql, tenant, empty.data)

    return ingest


def use_words(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Make small bills use words as large ones do; the list receives the types of each pass."""
    made: list[dict[str, str]] = []

    def make(connection: Connection, views: list[str], rows: int, files: int) -> dict[str, str]:
        made.append(vocabulary.make_word_types(connection, views, MANY_ROWS, files))
        return made[-1]

    monkeypatch.setattr(month_pass, "make_word_types", make)
    return made


def test_charges_are_the_same_with_words(
    charges_of: Callable[[str], Rows],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = charges_of("globex")
    assert len(plain) == len(LINES) - 1 + 2 + 1  # two unused parts, and what negations left over
    made = use_words(monkeypatch)
    with caplog.at_level(logging.INFO, LOGGER):
        assert charges_of("acme") == plain
    assert len(made) == 1
    assert set(vocabulary.SOURCES) <= made[0].keys()
    assert "as plain text" not in capsys.readouterr().err


def test_a_word_that_is_not_known_changes_no_charge(
    charges_of: Callable[[str], Rows],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = charges_of("globex")
    use_words(monkeypatch)
    monkeypatch.setitem(vocabulary.SOURCES, "ServiceName", ("'AWS'",))
    with caplog.at_level(logging.INFO, LOGGER):
        assert charges_of("acme") == plain
    log = capsys.readouterr().err
    assert "acme 2026-09: the charges are written as plain text" in log
    assert "AmazonEC2" not in log, "the log quotes the bill"


def test_words_that_do_not_fit_in_memory_change_no_charge(
    charges_of: Callable[[str], Rows],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sample may have few different texts although the whole bill has millions."""
    plain = charges_of("globex")

    def read(connection: Connection, *_: object) -> dict[str, str]:
        connection.execute("set memory_limit = '32MB'")
        try:
            connection.execute("select list(distinct i::varchar || repeat('x', 99))"
                               " from range(2000000) as r(i)")  # fmt: skip
        finally:
            connection.execute("set memory_limit = '1GB'")
        return {}

    monkeypatch.setattr(month_pass, "make_word_types", read)
    with caplog.at_level(logging.INFO, LOGGER):
        assert charges_of("acme") == plain
    assert "OutOfMemory" in capsys.readouterr().err
