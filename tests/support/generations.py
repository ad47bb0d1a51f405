"""acme and globex whose bills are delivered again and again, each time with another marker.

Put here: delivering and publishing a generation, and what one costs. Keep out: who asks meanwhile
(racing_clients.py).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import yaml

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

TENANTS = ("acme", "globex")
MONTHS = ("2026-09", "2026-10")
PROJECTS = {"prod": "111122223333", "dev": "222233334444"}


@dataclass(frozen=True)
class Generation:
    """One state of a tenant's data. The marker is in the service of every charge."""

    tenant: str
    marker: str = field(default_factory=lambda: f"mk{secrets.token_hex(6)}")
    costs: dict[str, Decimal] = field(
        default_factory=lambda: {
            project: Decimal(secrets.randbelow(10**9) + 10**8).scaleb(-6) for project in PROJECTS
        }
    )
    """What each project costs in each month."""

    def total(self, projects: frozenset[str] = frozenset(PROJECTS)) -> Decimal:
        """Return what projects cost in all months."""
        return len(MONTHS) * sum((self.costs[project] for project in projects), Decimal(0))

    def bill(self, month: str) -> list[dict[str, str]]:
        """Return the lines of a month: one of each project."""
        return [
            row(
                str(self.costs[project]),
                account,
                f"{month}-05",
                **{
                    "product/ProductName": f"{self.marker} {project}",
                    "lineItem/ProductCode": "AmazonEC2",
                    "lineItem/ResourceId": f"i-{self.marker}",
                    "resourceTags/user:Team": f"team-{self.marker}",
                },
            )
            for project, account in PROJECTS.items()
        ]


@dataclass(frozen=True)
class GenerationMaker:
    """The installation below a folder, and every generation that it has had, by marker."""

    folder: Path
    made: dict[str, Generation] = field(default_factory=dict)

    @property
    def installation(self) -> TemporaryInstallation:
        """The installation."""
        return TemporaryInstallation(self.folder / "data")

    def declare(self) -> None:
        """Declare both tenants, with the same projects."""
        projects = [{"name": name, "accounts": [account]} for name, account in PROJECTS.items()]
        declared = [
            {
                "name": tenant,
                "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
                "projects": projects,
            }
            for tenant in TENANTS
        ]
        (self.folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": declared}))
        self.installation.apply(self.folder / "tenants.yaml")

    def prepare(self, tenant: str) -> Generation:
        """Deliver the next generation of a tenant, which is not published yet."""
        generation = Generation(tenant)
        self.made[generation.marker] = generation
        for month in MONTHS:
            report = self.folder / tenant / "cur"
            deliver(report, generation.bill(month), month, assembly=generation.marker)
        return generation

    def publish(self, tenant: str) -> None:
        """Ingest what was delivered."""
        assert not self.installation.ingest(tenant).failed

    def begin(self) -> dict[str, Generation]:
        """Declare both tenants and publish a first generation of each; return these by tenant."""
        self.declare()
        first = {tenant: self.prepare(tenant) for tenant in TENANTS}
        for tenant in TENANTS:
            self.publish(tenant)
        return first
