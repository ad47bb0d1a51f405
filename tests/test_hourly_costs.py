"""Costs by hour: the last 35 days, a window that moves, sources that state no hours.

Put here: hourly_costs and the query of hours on small bills of two tenants. Keep out: whole estates
(test_marts_again.py), how a mart looks back (test_lookback.py).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.test_queries import ask


def hour(moment: str, cost: str, hours: int = 1) -> dict[str, str]:
    day, _, first = moment.partition("T")
    last = f"{day}T{int(first) + hours:02d}" if int(first) + hours < 24 else f"{day}T23:59:59"
    ends = f"{last}:00:00Z" if len(last) < 19 else f"{last}Z"
    return row(cost, day=day, **{
        "lineItem/UsageStartDate": f"{day}T{first}:00:00Z", "lineItem/UsageEndDate": ends,
        "lineItem/ProductCode": "AmazonEC2",
    })  # fmt: skip


def hours(made: TemporaryInstallation, tenant: str) -> list[tuple[str, Decimal]]:
    rows: list[dict[str, Any]] = ask(made, tenant, "costs_per_hour")
    return [(f"{row['charge_hour']:%m-%d %H}", row["effective_cost"]) for row in rows]


def test_the_last_35_days_by_hour(empty: TemporaryInstallation, tmp_path: Path) -> None:
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
    (tmp_path / "tenants.yaml").write_text(text)
    august = [hour("2026-08-26T05", "1"), hour("2026-08-27T05", "2"), hour("2026-08-27T06", "3")]
    september = [
        hour("2026-09-30T07", "4"), hour("2026-09-30T07", "5"),
        hour("2026-09-30T00", "100", hours=24), hour("2026-09-05T03", "0.001"),
        row("9", day="2026-09-01", **{"lineItem/LineItemType": "Tax"}),
    ]  # fmt: skip
    deliver(tmp_path / "acme/cur", august, "2026-08")
    deliver(tmp_path / "acme/cur", september, "2026-09")
    deliver(tmp_path / "globex/cur", [hour("2026-08-26T05", "1")], "2026-08")
    empty.apply(tmp_path / "tenants.yaml")
    for tenant in ("acme", "globex"):
        assert not empty.ingest(tenant).failed
    assert hours(empty, "acme") == [
        ("08-27 05", 2), ("08-27 06", 3),
        ("09-30 07", 9),
    ]  # fmt: skip
    assert hours(empty, "globex") == [("08-26 05", 1)]

    deliver(tmp_path / "acme/cur", [hour("2026-10-02T01", "6")], "2026-10")
    assert not empty.ingest("acme").failed
    assert hours(empty, "acme") == [
        ("09-30 07", 9), ("10-02 01", 6),
    ], "the 27th of August is 36 days before the 2nd of October"  # fmt: skip
    rows = empty.rows("acme", "select min(charge_hour)::date as d, count(*) as n from hourly_costs")
    assert rows == [{"d": "2026-09-05", "n": "3"}]
    assert finops("check", "acme", data=empty.data)[0] == 0
    assert hours(empty, "globex") == [("08-26 05", 1)]
