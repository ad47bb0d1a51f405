"""Corrupted charges are noticed: each corruption, alone, by a named rule or check.

Put here: the set of corruptions against `finops validate` and `finops check`. Keep out: the set
itself (corruptions.py), what rules and checks report (test_conformance.py, test_identities.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.corruptions import CORRUPTIONS, Corruption, corrupt, noticed_by
from tests.support.published_files import published_file
from tests.support.tiers import some_every_day

MONTH = "2026-09"


@pytest.fixture(scope="module")
def lake(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> TemporaryInstallation:
    """A copy of the ingested estate; a test that damages it restores it."""
    data = tmp_path_factory.mktemp("corruptions") / "data"
    shutil.copytree(built.data, data)
    return TemporaryInstallation(data)


def charges(lake: TemporaryInstallation, corruption: Corruption) -> Path:
    return published_file(lake.folder(corruption.tenant), "costs", corruption.project, MONTH)


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_true_charges_break_nothing(lake: TemporaryInstallation, tenant: str) -> None:
    assert noticed_by(lake.installation, tenant, MONTH) == []


def test_the_set_is_large_and_its_names_are_unique() -> None:
    assert len({corruption.name for corruption in CORRUPTIONS}) == len(CORRUPTIONS) >= 60


@pytest.mark.parametrize(
    "corruption", some_every_day(CORRUPTIONS, 4), ids=lambda corruption: corruption.name
)
def test_each_corruption_is_noticed_by_name(
    lake: TemporaryInstallation, corruption: Corruption
) -> None:
    file = charges(lake, corruption)
    original = file.read_bytes()
    corrupt(file, corruption, file)
    try:
        names = noticed_by(lake.installation, corruption.tenant, MONTH, corruption.project)
    finally:
        file.write_bytes(original)
    assert names, corruption.name


def test_broken_charges_of_a_tenant_are_not_reported_for_the_other(
    lake: TemporaryInstallation,
) -> None:
    file = charges(lake, CORRUPTIONS[0])
    original = file.read_bytes()
    corrupt(file, CORRUPTIONS[0], file)
    try:
        assert "ChargeCategory allowed" in noticed_by(lake.installation, "acme", MONTH)
        assert noticed_by(lake.installation, "globex", MONTH) == []
    finally:
        file.write_bytes(original)
