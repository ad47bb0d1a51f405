"""acme with planted waste and globex with near misses, collected and ingested.

Put here: the installation, from the estate's bills, an inventory of moto's AWS, inventories in
files, and a CloudWatch. Keep out: what is planted (synthetic), what a test expects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.synthetic.rows import shift_month
from finops_pipeline.synthetic.waste_estate import (
    ACCOUNTS,
    Placed,
    WasteBill,
    WasteEstate,
    write_waste_bill,
    write_waste_estate,
)
from finops_pipeline.synthetic.waste_items import CENTRAL, EAST
from tests.conftest import TemporaryInstallation
from tests.support.cloudwatch_server import cloudwatch
from tests.support.inventoried_tenants import reset, source_of
from tests.support.servers import Store
from tests.support.waste_in_moto import create_waste

TENANTS = tuple(ACCOUNTS)
_COLLECTED_DAYS = "90"
"""More than two whole months and two weeks, so that the days of the bill are asked."""


def month_of_bills() -> str:
    """The newest month of the bills: the one after it is complete, too."""
    return shift_month(f"{clock.now():%Y-%m}", -2)


@dataclass(frozen=True)
class Wasteful:
    """Both tenants, and the estate that they are made of."""

    made: TemporaryInstallation
    exports: Path
    estate: WasteEstate

    @property
    def truth(self) -> list[dict[str, Any]]:
        """The planted items."""
        loaded: list[dict[str, Any]] = json.loads((self.exports / "truth.json").read_text())
        return loaded

    def rows(self, tenant: str, sql: str) -> list[dict[str, Any]]:
        """The rows of a query on a tenant's file, with exact values."""
        with reading(self.made.installation.folder(tenant)) as connection:
            return fetch_dicts(connection.execute(sql))

    def deliver(self, tenant: str, month: str, placed: Sequence[Placed]) -> None:
        """Deliver and ingest a later month."""
        write_waste_bill(self.exports, WasteBill(tenant, month, placed))
        assert not self.made.ingest(tenant).failed


@contextmanager
def _environment(prices: Path) -> Iterator[None]:
    """Settings and credentials while tenants are made and used."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("FINOPS_CLOUDWATCH_DAYS", _COLLECTED_DAYS)
        patch.setenv("FINOPS_PRICES", str(prices))
        yield


@contextmanager
def wasteful_tenants(
    folder: Path, estate: WasteEstate, moto: Store | None = None
) -> Iterator[Wasteful]:
    """Make both tenants; with `moto`, what acme has in eu-central-1 is there, not in a file."""
    ids = {}
    if moto:
        reset(moto)
        ids = dict(create_waste(moto, ACCOUNTS["acme"]["shop"], CENTRAL))
    estate = WasteEstate(estate.month, estate.seed, ids, estate.is_old)
    exports = folder / "exports"
    path = write_waste_estate(exports, estate)
    with _environment(exports / "prices.csv"), cloudwatch() as (url, script):
        script.answer = _answers(exports)
        declared = json.loads(path.read_text())
        for tenant in declared["tenants"]:
            tenant["sources"].append(_usage(tenant["name"], url))
        if moto:
            declared["tenants"][0]["sources"].append(
                source_of(moto, ACCOUNTS["acme"]["shop"], name="aws")
            )
        path.write_text(json.dumps(declared))
        made = TemporaryInstallation(folder / "data")
        made.apply(path)
        for tenant in TENANTS:
            give_inventory(
                made, tenant, exports, without=CENTRAL if moto and tenant == "acme" else ""
            )
            assert not made.ingest(tenant).failed
        yield Wasteful(made, exports, estate)


def _usage(tenant: str, url: str) -> dict[str, str]:
    role = f"arn:aws:iam::{ACCOUNTS[tenant]['shop']}:role/finops"
    usage = {"name": "usage", "format": "cloudwatch", "location": f"aws://{EAST},{CENTRAL}"}
    return usage | {"endpoint_url": url, "role_arn": role}


def give_inventory(
    made: TemporaryInstallation, tenant: str, exports: Path, without: str = ""
) -> None:
    """Hand over the inventory of a tenant, without a region that is collected."""
    listed = json.loads((exports / tenant / "inventory.json").read_text())
    collected = {without, "global"} if without else set()
    path = exports / tenant / "given.json"
    path.write_text(json.dumps([r for r in listed if r["region_id"] not in collected]))
    report = ingest_files(made.installation, FilesByHand(tenant, "listed", [path]))
    assert not report.failed, report.failed


def _answers(exports: Path) -> Any:
    """Return a function that answers with the planted statistics, the same on each day."""
    series = {}
    for tenant in TENANTS:
        for row in json.loads((exports / tenant / "statistics.json").read_text()):
            key = (row["account_id"], row["resource_id"], row["metric_name"])
            series[key] = row["values"]

    def answer(result: dict[str, Any], query: dict[str, Any], account: str) -> None:
        stat, metric = query["MetricStat"]["Stat"], query["MetricStat"]["Metric"]
        name = f"{metric['Namespace']} {metric['MetricName']}"
        values = series.get((account, metric["Dimensions"][0]["Value"], name), {})
        days = len(result["Timestamps"]) if stat in values else 0
        result["Timestamps"] = result["Timestamps"][:days]
        result["Values"] = [values.get(stat)] * days

    return answer
