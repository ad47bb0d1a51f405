"""acme, whose bills a test writes, next to a similar globex that must not change.

Put here: the two tenants, ingesting a month of acme, and the sums of its charges. Keep out: what a
test expects of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.published_files import settle_copy
from tests.support.rewound_folder import preserve, rewind

MONTH, FOLDER = "2026-09", "20260901-20261001"
ZEROS = "001122334455"
"""An account that prod claims in both tenants."""

Line = dict[str, str]
Census = Callable[[Path], dict[str, tuple[int, int]]]


def declare(made: TemporaryInstallation, folder: Path, tenant: str) -> None:
    """A tenant whose one source reads `folder/TENANT/cur`, and its project prod."""
    declared = {
        "name": tenant,
        "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
        "projects": [{"name": "prod", "accounts": [ZEROS, "111122223333"]}],
    }
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": [declared]}))
    made.apply(folder / "tenants.yaml")


@pytest.fixture(scope="session")
def built_globex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """globex, ingested, and acme, declared; preserved for `two`."""
    return preserve(tmp_path_factory.mktemp("globex"), _build)


def _build(folder: Path) -> None:
    made = TemporaryInstallation(folder / "data")
    deliver(folder / "globex/cur", [row("777.77", account=ZEROS)])
    declare(made, folder, "globex")
    assert not made.ingest("globex").failed
    declare(made, folder, "acme")


@pytest.fixture
def two(
    built_globex: Path, census: Census, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TemporaryInstallation]:
    """globex, which must stay unchanged, and acme, whose payer is at `acme/cur` beside the data."""
    made = TemporaryInstallation(rewind(built_globex) / "data")
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    settle_copy(made.data, "globex")
    before = census(made.folder("globex"))
    yield made
    assert census(made.folder("globex")) == before


def take(
    made: TemporaryInstallation, lines: list[Line], month: str = MONTH, assembly: str = "one"
) -> None:
    """Deliver a month to acme and ingest it."""
    deliver(made.data.parent / "acme/cur", lines, month, assembly)
    assert not made.ingest("acme").failed


def rows(made: TemporaryInstallation, sql: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
    with reading(made.installation.folder(tenant)) as connection:
        return connection.execute(sql).fetchall()


def billed(
    made: TemporaryInstallation, key: str = "project", tenant: str = "acme"
) -> dict[Any, Decimal]:
    sql = f"select {key} as k, sum(BilledCost) from costs group by all order by all"
    return dict(rows(made, sql, tenant))


def manifest(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    keys = [f"cur/{folder.name}/{name}" for name in names]
    (folder / "cur-Manifest.json").write_text(json.dumps({"assemblyId": "x", "reportKeys": keys}))
