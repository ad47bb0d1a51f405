"""Two published tenants to back up, and what to compare before and after.

Put here: what the tests of backup and restore share. Keep out: damage to a backup.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

MONTHS = ("2026-08", "2026-09")
SQL = "select billing_period, sum(billed_cost) as billed from monthly_costs group by all order by 1"
CHARGES = "select billing_period, sum(BilledCost) as billed from costs group by all order by 1"
DECLARED = """
tenants:
- name: {name}
  sources: [{{name: payer, format: legacy-cur, location: {folder}/{name}/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""


def publish_two(exports: Path) -> TemporaryInstallation:
    """Publish initech and hooli, with the same account, project and months, to `exports/data`."""
    made = TemporaryInstallation(exports / "data")
    for tenant, cost in (("initech", "1.5"), ("hooli", "7")):
        deliver_months(exports, tenant, cost)
        declared = exports / f"{tenant}.yaml"
        declared.write_text(DECLARED.format(name=tenant, folder=exports))
        made.apply(declared)
        assert not made.ingest(tenant).failed
    return made


def deliver_months(exports: Path, tenant: str, cost: str, months: tuple[str, ...] = MONTHS) -> None:
    """Write a new version of these months, in which each charge has this cost."""
    for month in months:
        lines = [row(cost, day=f"{month}-05"), row(cost, "444455556666", day=f"{month}-06")]
        deliver(exports / tenant / "cur", lines, month, assembly=f"{tenant}-{cost}")


def elsewhere(tmp_path: Path, name: str = "elsewhere") -> TemporaryInstallation:
    """An installation with nothing declared, in another folder."""
    return TemporaryInstallation(tmp_path / name / "data")


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder: checksum, and every link: its target."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def answers(installation: TemporaryInstallation, tenant: str) -> Any:
    """What the marts and the charges answer."""
    return [installation.rows(tenant, SQL), installation.rows(tenant, CHARGES)]


def manifest_of(backup: Path, tenant: str) -> dict[str, Any]:
    """The manifest of a tenant in a backup."""
    loaded: dict[str, Any] = json.loads((backup / f"tenant={tenant}/manifest.json").read_text())
    return loaded


def external_ids(installation: TemporaryInstallation) -> dict[str, str]:
    """The external id of every declared tenant."""
    return {t.name: t.external_id for t in installation.installation.registry.tenants()}
