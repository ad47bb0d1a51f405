"""Two tenants whose accounts in moto's AWS have resources of the same ids and names, and bills.

Put here: declaring them, creating resources in an account, small bills that name resources. Keep
out: the servers (servers.py), and the expectations of a test.
"""

from __future__ import annotations

import json
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from finops_pipeline import clock
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.servers import Store, trusting_role

ACME, GLOBEX = "111122223333", "444455556666"
REGION = "eu-central-1"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Condition": {}}]}


def client_in(moto: Store, account: str, service: str, region: str = REGION) -> Any:
    """Return a client that acts in an account of moto's AWS."""
    client = boto3.Session("testing", "testing", region_name=region).client(
        service,
        endpoint_url=moto.url,
        config=Config(retries={"total_max_attempts": 1}),
    )

    def in_account(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-moto-account-id"] = account

    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-call.{name}", in_account)
    return client


def reset(moto: Store) -> None:
    """Delete everything in moto's AWS."""
    request = urllib.request.Request(f"{moto.url}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def source_of(moto: Store, account: str, kind: str = "inventory", **more: str) -> dict[str, str]:
    """Return the declaration of a source with a role in an account, which is created."""
    role = trusting_role(moto, account, f"finops-{kind}", TRUST)
    declared = {"name": kind, "format": kind, "location": f"aws://{REGION}", "role_arn": role}
    return declared | {"endpoint_url": moto.url} | more


def declare(
    made: TemporaryInstallation, sources: dict[str, list[dict[str, Any]]], **more: Any
) -> None:
    """Declare tenants with these sources and a bill; `prod` claims the tenant's own account."""
    accounts = {"acme": ACME, "globex": GLOBEX}
    tenants = [
        {
            "name": name,
            "sources": [
                *declared,
                {"name": "payer", "format": "legacy-cur", "location": f"bills/{name}"},
            ],
            "projects": [{"name": "prod", "accounts": [accounts[name]]}],
        }
        | more.get(name, {})
        for name, declared in sources.items()
    ]
    made.data.mkdir(parents=True, exist_ok=True)
    for name in sources:
        (made.data.parent / "bills" / name).mkdir(parents=True, exist_ok=True)
    path = made.data.parent / "tenants.yaml"
    path.write_text(json.dumps({"tenants": tenants}, default=str))
    made.apply(path)


def bill(made: TemporaryInstallation, tenant: str, costs: dict[str, str], account: str) -> Path:
    """Deliver a bill of September 2026, with one line per resource on its last day."""
    lines = [
        row(
            cost,
            account,
            "2026-09-30",
            **{
                "lineItem/ResourceId": resource,
                "lineItem/ProductCode": "AmazonEC2",
                "product/region": REGION,
                "lineItem/UsageType": "EUC1-Usage",
            },
        )
        for resource, cost in costs.items()
    ]
    return deliver(made.data.parent / "bills" / tenant / "cur", lines, "2026-09")


def today() -> date:
    """Return the day of the tests' clock."""
    return clock.now().date()
