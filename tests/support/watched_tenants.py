"""Two tenants with budgets and alerts, whose bills name the same accounts and services.

Put here: declaring them, and bills of daily usage. Keep out: servers that receive messages
(message_receivers.py), and the expectations of a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from tests.conftest import TemporaryInstallation
from tests.support.waste_bills import Use, write_bill

PROD, DEV = "111122223333", "222233334444"
TENANTS = ("acme", "globex")
EC2 = "AmazonEC2"


def use(cost: str, first: str, last: str, **more: Any) -> Use:
    """Return usage that costs the same on each day of a period."""
    resource = more.pop("resource", "i-0123456789abcdef0")
    service = more.pop("service", EC2)
    days = {"first": date.fromisoformat(first), "last": date.fromisoformat(last)}
    return Use(
        resource, service, "BoxUsage:m5.large", "1", cost, **days, **{"account": PROD} | more
    )


def declare(made: TemporaryInstallation, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Declare both tenants, each with a payer and two projects, and these sections of them."""
    tenants = [
        {
            "name": name,
            "display_name": f"{name.capitalize()} <Inc> & Co.",
            "sources": [{"name": "payer", "format": "legacy-cur", "location": f"bills/{name}/cur"}],
            "projects": [
                {"name": "prod", "environment": "live", "accounts": [PROD]},
                {"name": "dev", "environment": "test", "accounts": [DEV]},
            ],
            **sections.get(name, {}),
        }
        for name in TENANTS
    ]
    made.data.mkdir(parents=True, exist_ok=True)
    path = made.data.parent / "tenants.yaml"
    path.write_text(json.dumps({"tenants": tenants}))
    made.apply(path)


def bill(made: TemporaryInstallation, tenant: str, uses: Iterable[Use]) -> None:
    """Deliver a tenant's usage, and ingest it."""
    write_bill(made.data.parent / "bills" / tenant / "cur", uses)
    report = made.ingest(tenant)
    assert not report.failed, report.failed
