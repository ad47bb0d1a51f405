"""acme, which is published again and again, beside globex, which stays as it is.

Put here: the two tenants, and publications whose every number is the publication's own. Keep out:
what readers do meanwhile (test_snapshot_readers.py), kills (test_snapshot_kills.py).

In publication k each of acme's accounts costs k in each month, so an answer that mixes two
publications has sums that do not fit together.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

MONTHS = ("2026-08", "2026-09")
ACCOUNTS = {"prod": "111122223333", "dev": "444455556666"}
GLOBEX_COST = "700"


def declare_both(made: TemporaryInstallation) -> None:
    """Declare acme and globex, whose bills lie beside the data folder."""
    tenants = [
        {
            "name": tenant,
            "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
            "projects": [{"name": name, "accounts": [id]} for name, id in ACCOUNTS.items()],
        }
        for tenant in ("acme", "globex")
    ]
    declaration = made.data.parent / "tenants.yaml"
    declaration.write_text(yaml.safe_dump({"tenants": tenants}))
    made.apply(declaration)


def deliver_number(made: TemporaryInstallation, number: int, version: int | None = None) -> None:
    """Deliver acme's months again, in which every account costs `number`."""
    assembly = f"version {number if version is None else version:06d}"
    for month in MONTHS:
        lines = [row(str(number), account, f"{month}-05") for account in ACCOUNTS.values()]
        deliver(made.data.parent / "acme/cur", lines, month, assembly)


def begin(folder: Path) -> TemporaryInstallation:
    """Publish both tenants for the first time."""
    made = TemporaryInstallation(folder / "data")
    lines = [row(GLOBEX_COST, account, "2026-09-05") for account in ACCOUNTS.values()]
    deliver(folder / "globex/cur", lines)
    declare_both(made)
    deliver_number(made, 1)
    for tenant in ("acme", "globex"):
        assert not made.ingest(tenant).failed
    return made
