"""Corrupted charges are noticed: each single way by a rule or check that has a name.

Put here: the set of corruptions against `finops validate` and `finops check`. Keep out: the set
(corruptions.py), what each rule and check says (test_conformance.py, test_identities.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.corruptions import CORRUPTIONS, Corruption, corrupt, noticed_by

MONTH = "2026-09"


@pytest.fixture(scope="module")
def lake(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> TemporaryInstallation:
    """A copy of the ingested estate; who damages it puts it right again."""
    data = tmp_path_factory.mktemp("corruptions") / "data"
    shutil.copytree(built.data, data)
    return TemporaryInstallation(data)


def charges(lake: TemporaryInstallation, how: Corruption) -> Path:
    folder = f"costs/project={how.project}/billing_period={MONTH}"
    return lake.folder(how.tenant) / folder / "charges.parquet"


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_true_charges_break_nothing(lake: TemporaryInstallation, tenant: str) -> None:
    assert noticed_by(lake.installation, tenant, MONTH) == []


def test_the_set_is_large_and_each_way_is_one_of_its_own() -> None:
    assert len({how.name for how in CORRUPTIONS}) == len(CORRUPTIONS) >= 60


@pytest.mark.parametrize("how", CORRUPTIONS, ids=lambda how: how.name)
def test_each_corruption_is_noticed_by_name(lake: TemporaryInstallation, how: Corruption) -> None:
    file = charges(lake, how)
    kept = file.read_bytes()
    corrupt(file, how, file)
    try:
        names = noticed_by(lake.installation, how.tenant, MONTH, how.project)
    finally:
        file.write_bytes(kept)
    assert names, how.name


def test_what_is_broken_for_one_tenant_is_not_told_to_the_other(
    lake: TemporaryInstallation,
) -> None:
    file = charges(lake, CORRUPTIONS[0])
    kept = file.read_bytes()
    corrupt(file, CORRUPTIONS[0], file)
    try:
        assert "ChargeCategory allowed" in noticed_by(lake.installation, "acme", MONTH)
        assert noticed_by(lake.installation, "globex", MONTH) == []
    finally:
        file.write_bytes(kept)
