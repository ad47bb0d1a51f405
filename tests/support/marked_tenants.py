"""Tenants with the same projects, accounts and resources; each charge has its project's marker.

Put here: the tenants and their markers. Keep out: the requests that must never show a foreign
marker (test_api_isolation.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import yaml

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

TENANTS = ("acme", "globex")
PROJECTS = {"prod": "111122223333", "dev": "222233334444", "data": "333344445555"}
"""Projects of both tenants, and the account of each."""

MONTHS = ("2026-09", "2026-10")
Place = tuple[str, str]
"""Tenant and project."""


@dataclass(frozen=True)
class MarkedTenants:
    """The installation, the marker of each project, and what each project costs."""

    made: TemporaryInstallation
    markers: dict[Place, str] = field(default_factory=dict)
    costs: dict[Place, Decimal] = field(default_factory=dict)

    def forbidden(self, tenant: str, projects: frozenset[str]) -> list[str]:
        """Return the markers that whoever may see these projects of a tenant must not see."""
        return [
            marker
            for place, marker in self.markers.items()
            if place[0] != tenant or place[1] not in projects
        ]

    def total(self, tenant: str, projects: frozenset[str]) -> Decimal:
        """Return what these projects of a tenant cost, in all months."""
        return sum((self.costs[tenant, project] for project in projects), Decimal(0))


def make_marked_tenants(
    folder: Path, tenants: Sequence[str] = TENANTS, months: Sequence[str] = MONTHS
) -> MarkedTenants:
    """Ingest tenants, by default both; the markers are random."""
    made = MarkedTenants(TemporaryInstallation(folder / "data"))
    declared = []
    for tenant in tenants:
        for project in PROJECTS:
            made.markers[tenant, project] = f"mk{secrets.token_hex(6)}"
            made.costs[tenant, project] = Decimal(0)
        for month in months:
            deliver(folder / tenant / "cur", _bill(made, tenant, month), month)
        declared.append(
            {
                "name": tenant,
                "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
                "projects": [
                    {
                        "name": name,
                        "accounts": [account],
                        "environment": "live" if name == "prod" else "test",
                        "business_unit": f"unit-{made.markers[tenant, name]}",
                    }
                    for name, account in PROJECTS.items()
                ],
            }
        )
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": declared}))
    made.made.apply(folder / "tenants.yaml")
    for tenant in tenants:
        assert not made.made.ingest(tenant).failed
    return made


def _bill(made: MarkedTenants, tenant: str, month: str) -> list[dict[str, str]]:
    """Two charges of each project: a resource that both tenants have, and one of its own."""
    lines = []
    for project, account in PROJECTS.items():
        marker = made.markers[tenant, project]
        for resource in ("i-0123456789abcdef0", f"i-{marker}"):
            cost = Decimal(secrets.randbelow(10**9) + 10**8).scaleb(-6)
            made.costs[tenant, project] += cost
            columns = {
                "lineItem/ResourceId": resource,
                "lineItem/ProductCode": "AmazonEC2",
                "product/ProductName": f"Service {marker}",
                "lineItem/UsageType": f"Usage-{marker}",
                "lineItem/LineItemDescription": f"described {marker}",
                "resourceTags/user:Team": f"team-{marker}",
            }
            lines.append(row(str(cost), account, f"{month}-05", **columns))
    return lines
