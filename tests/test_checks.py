"""Checks catch the errors they are for: a wrong mart is refused, a wrong charge gives a warning.

Put here: charges and marts damaged before a refresh checks them. Keep out: `finops check` on
published months (test_identities.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.contracts.allocation_marts import ALLOCATION_MARTS
from finops_pipeline.contracts.column import MONEY
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.marts.library import Mart, Severity, checks, head, marts
from tests.conftest import TemporaryInstallation
from tests.support.published_files import publish_instead, published_file

MONTH = "2026-09"
PROD = ("costs", "prod", MONTH)


def publish_wrong(made: TemporaryInstallation, tmp_path: Path, change: str) -> None:
    """Publish a month of acme's project prod with a column expression changed."""
    path, wrong = published_file(made.folder("acme"), *PROD), tmp_path / "wrong.parquet"
    duckdb.sql(
        f"copy (select * replace ({change}) from read_parquet('{path}', hive_partitioning = false))"
        f" to '{wrong}' (format parquet)"
    )
    publish_instead(made.installation, "acme", Place(*PROD), wrong)
    (made.folder("acme") / "acme.duckdb").unlink()


def warnings_of(installation: TemporaryInstallation) -> str:
    report = installation.ingest("acme")
    return next(step.reason for step in report.steps if step.stage == "warehouse")


def test_true_charges_give_no_warning(ingested: TemporaryInstallation) -> None:
    (ingested.folder("acme") / "acme.duckdb").unlink()
    assert warnings_of(ingested) == ""


def test_a_lost_unused_commitment_gives_a_warning(
    ingested: TemporaryInstallation, tmp_path: Path
) -> None:
    publish_wrong(
        ingested,
        tmp_path,
        "case when x_RowKind = 'unused' then 0 else EffectiveCost end::decimal(38,18)"
        " as EffectiveCost",
    )
    assert "commitments_amortize" in warnings_of(ingested)


@pytest.mark.parametrize("mart", marts(), ids=lambda mart: mart.name)
def test_every_mart_names_checks_that_compare_it_with_charges(mart: Mart) -> None:
    """Each check that a mart's head names exists, reads the mart and refuses differences."""
    by_name = {check.name: check for check in checks()}
    names = head(mart.sql)["check"].split(", ")
    assert names
    for name in names:
        check = by_name[name]
        reads = set(head(check.sql)["reads"].split(", "))
        # resource_daily_costs has a check of its own against the charges
        assert mart.name in reads and reads & {"costs", "resource_daily_costs"}
        assert check.severity is Severity.REFUSE


OF_RULES = {table.name for table in ALLOCATION_MARTS}
"""Marts that are empty without rules: test_allocations.py breaks them."""


@pytest.mark.parametrize(
    "broken", [mart for mart in marts() if mart.name not in OF_RULES], ids=lambda mart: mart.name
)
def test_a_mart_that_loses_rows_is_refused(
    ingested: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, broken: Mart
) -> None:
    """A broken mart never reaches the tenant's file: the one before stays, byte for byte."""
    money = [c.name for c in MARTS[broken.name].columns if c.type == MONEY and not c.nullable]
    cost = "billed_cost" if "billed_cost" in money else money[0]
    wrong = [
        mart if mart != broken else replace(mart, sql=mart.sql + f" where {cost} < 0.01")
        for mart in marts()
    ]  # fmt: skip
    monkeypatch.setattr("finops_pipeline.marts.build.marts", lambda: tuple(wrong))
    file = ingested.folder("acme") / "acme.duckdb"
    before = file.read_bytes()
    refused = ingested.ingest("acme").failed
    assert len(refused) == 1 and head(broken.sql)["check"] in refused[0].reason
    assert file.read_bytes() == before
