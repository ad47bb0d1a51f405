"""Small bills with waste, near misses and what cannot be known, for two tenants.

Put here: writing daily usage of resources, and two tenants with the same accounts and resource ids.
Keep out: what rules find in it (test_waste_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

ACCOUNT, DEV, OTHER = "111122223333", "222233334444", "333344445555"
FIRST, LAST = date(2026, 8, 25), date(2026, 9, 30)
"""The 30 complete days are those of September."""


@dataclass(frozen=True)
class Use:
    """A resource's daily usage of a meter: `amount` units at `price`, listed at `listed`."""

    resource: str
    service: str
    usage_type: str
    amount: str
    price: str
    unit: str = "Hrs"
    operation: str = ""
    listed: str = ""
    account: str = ACCOUNT
    region: str = "us-east-1"
    first: date = FIRST
    last: date = LAST
    kind: str = "Usage"

    @property
    def days(self) -> list[date]:
        """The days on which it is used."""
        return [self.first + timedelta(n) for n in range((self.last - self.first).days + 1)]

    @property
    def cost(self) -> Decimal:
        """The cost of 30 days."""
        return 30 * Decimal(self.amount) * Decimal(self.price)

    def line(self, day: date) -> dict[str, str]:
        """Return the line of a day."""
        amount = Decimal(self.amount)
        listed = amount * Decimal(self.listed or self.price)
        more = {
            "lineItem/LineItemType": self.kind,
            "lineItem/UsageEndDate": f"{day + timedelta(1)}T00:00:00Z",
            "lineItem/ProductCode": self.service,
            "lineItem/UsageType": self.usage_type,
            "lineItem/Operation": self.operation,
            "lineItem/ResourceId": self.resource,
            "lineItem/UsageAmount": self.amount,
            "pricing/unit": self.unit,
            "pricing/publicOnDemandCost": format(listed, "f"),
            "product/region": self.region,
            "product/ProductName": self.service,
        }
        cost = format(amount * Decimal(self.price), "f")
        return row(cost, self.account, str(day), **more)


def write_bill(export: Path, uses: Iterable[Use]) -> None:
    """Deliver the usage of all days, month by month."""
    months: dict[str, list[dict[str, str]]] = {}
    for use in uses:
        for day in use.days:
            months.setdefault(str(day)[:7], []).append(use.line(day))
    for month, lines in months.items():
        deliver(export, lines, month)


def declare(folder: Path) -> TemporaryInstallation:
    """Declare acme and globex, which have the same accounts and projects."""
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        text += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {tenant}/cur}}]\n"
            f"  projects:\n"
            f"  - {{name: shop, environment: prod, accounts: ['{ACCOUNT}']}}\n"
            f"  - {{name: lab, environment: dev, accounts: ['{DEV}']}}\n"
        )
    (folder / "tenants.yaml").write_text(text)
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    return made


def ingest_bills(folder: Path, acme: Sequence[Use], globex: Sequence[Use]) -> TemporaryInstallation:
    """Ingest the bills of two tenants."""
    made = declare(folder)
    for tenant, uses in (("acme", acme), ("globex", globex)):
        write_bill(folder / tenant / "cur", uses)
        report = made.ingest(tenant)
        assert not report.failed, report.failed
    return made


def ask(made: TemporaryInstallation, tenant: str, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query on a tenant's file, with exact values."""
    with reading(made.installation.folder(tenant)) as connection:
        return fetch_dicts(connection.execute(sql))
