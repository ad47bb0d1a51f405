"""What changed between two periods, and why: by hand, and without the mistakes of other tools.

Put here: the query of movers and services that vanished, on small bills of two tenants. Keep out:
movers of whole estates (test_marts_again.py), comparisons month by month (test_queries_by_hand.py).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.recomputed_marts import ask_movers
from tests.test_queries import ask

PARTS = ("change", "usage_change", "price_change", "mix_change", "new_cost", "gone_cost",
         "other_change")  # fmt: skip
EC2, S3 = "Amazon Elastic Compute Cloud", "Amazon Simple Storage Service"
HUGE = "9999999999999999999"
"""A quantity that cannot be multiplied."""
SNS, SQS = "Amazon Simple Notification Service", "Amazon Simple Queue Service"


def usage(day: str, code: str, meter: str, quantity: str, cost: str) -> dict[str, str]:
    return row(cost, day=day, **{
        "lineItem/ProductCode": code, "lineItem/UsageType": meter,
        "lineItem/UsageAmount": quantity, "pricing/unit": "GB" if code == "AmazonS3" else "Hrs",
    })  # fmt: skip


def september() -> list[dict[str, str]]:
    lines = []
    for day in (f"2026-09-{number:02d}" for number in range(1, 31)):
        lines += [
            usage(day, "AmazonEC2", "BoxUsage", "10", "1"),
            usage(day, "AmazonS3", "Cheap", "1", "0.1"),
            usage(day, "AmazonS3", "Dear", "1", "1"),
            usage(day, "AWSQueueService", "Requests", "1", "0.5"),
            usage(day, "AWSGlue", "Crawl", "1", "0.01"),
        ]
    huge = usage("2026-09-03", "AmazonKinesis", "Bytes", HUGE, "2")
    return [*lines, huge, usage("2026-09-20", "AmazonEC2", "BoxUsage", "10000", "1000")]


def october() -> list[dict[str, str]]:
    """A month until the 11th, which is not complete either."""
    lines = []
    for day in (f"2026-10-{number:02d}" for number in range(1, 11)):
        lines += [
            usage(day, "AmazonEC2", "BoxUsage", "20", "3"),
            usage(day, "AmazonS3", "Cheap", "0.5", "0.05"),
            usage(day, "AmazonS3", "Dear", "1.5", "1.5"),
            usage(day, "AWSGlue", "Crawl", "1", "0.03"),
            *(usage(day, "AmazonSNS", "Requests", "1", "0.1")
              for _ in range(4)),
        ]  # fmt: skip
    lines.append(usage("2026-10-04", "AmazonKinesis", "Bytes", HUGE, "3"))
    tax = row("77", day="2026-10-01", **{"lineItem/LineItemType": "Tax"})
    return [*lines, tax, usage("2026-10-11", "AmazonEC2", "BoxUsage", "1", "0.1")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """acme with both months; globex with EC2 alone, under the same account."""
    folder = tmp_path_factory.mktemp("movers")
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
        for month, lines in (("2026-09", september()), ("2026-10", october())):
            own = [r for r in lines if tenant == "acme"
                   or r.get("lineItem/ProductCode") == "AmazonEC2"]  # fmt: skip
            deliver(folder / tenant / "cur", own, month)
    (folder / "tenants.yaml").write_text(text)
    installation = TemporaryInstallation(folder / "data")
    installation.apply(folder / "tenants.yaml")
    for tenant in ("acme", "globex"):
        assert not installation.ingest(tenant).failed
    return installation


def parts(made: TemporaryInstallation, tenant: str, **given: str) -> dict[str, list[Decimal]]:
    rows = ask_movers(made, tenant, **given)
    for answered in rows:
        assert answered["change"] == sum(answered[name] for name in PARTS[1:])
    return {answered["mover"]: [answered[name] for name in PARTS] for answered in rows}


def test_d20_a_partial_month_is_compared_with_the_same_days(made: TemporaryInstallation) -> None:
    """Ten days of October with ten of September: the 20th, the 11th and the tax do not count."""
    rows = ask_movers(made, "acme")
    days = {tuple(str(r[f"{name}_day"]) for name in ("from", "to", "before_from", "before_to"))
            for r in rows}  # fmt: skip
    assert days == {("2026-10-01", "2026-10-10", "2026-09-01", "2026-09-10")}
    assert parts(made, "acme") == {
        EC2: [20, 10, 10, 0, 0, 0, 0],
        SQS: [-5, 0, 0, 0, 0, -5, 0],
        S3: [Decimal("4.5"), 0, 0, Decimal("4.5"), 0, 0, 0],
        SNS: [4, 0, 0, 0, 4, 0, 0],
        "Amazon Kinesis": [1, 0, 0, 0, 0, 0, 1],
        "smaller changes": [Decimal("0.2"), 0, Decimal("0.2"), 0, 0, 0, 0],
    }
    assert parts(made, "globex") == {EC2: [20, 10, 10, 0, 0, 0, 0]}


def test_d13_many_small_lines_are_a_large_change(made: TemporaryInstallation) -> None:
    """Forty lines of 0.10 are 4.00: the least amount is about the change, not about a line."""
    assert parts(made, "acme", least="4")[SNS][0] == 4
    rows = ask_movers(made, "acme", least="5")
    (small,) = (r for r in rows if r["mover"] == "smaller changes")
    assert small["change"] == 4 + Decimal("4.5") + 1 + Decimal("0.2")


def test_changes_are_shown_as_money(made: TemporaryInstallation) -> None:
    shown = finops("queries", "run", "acme", "movers", data=made.data)[1]
    assert re.search(r"usage_change +10\.00$", shown, re.MULTILINE), "rounded to cents"


def test_any_period_is_compared_with_any_other(made: TemporaryInstallation) -> None:
    given = {"first": "2026-09", "last": "2026-09"}
    new = parts(made, "acme", **given)
    assert new[EC2] == [1030, 0, 0, 0, 1030, 0, 0], "August is not there"
    backwards = parts(made, "acme", **given, before_from="2026-10", before_to="2026-10")
    assert backwards[SNS] == [-4, 0, 0, 0, 0, -4, 0]
    assert sum(change[0] for change in backwards.values()) == (
        sum(Decimal(r["lineItem/UnblendedCost"]) for r in september())
        - sum(Decimal(r["lineItem/UnblendedCost"]) for r in october())
    )


def test_d6_movers_are_of_any_dimension(made: TemporaryInstallation) -> None:
    """What has no region or environment is not lost, although null equals nothing."""
    for by in ("project", "environment", "business_unit", "account", "region", "charge_group"):
        changes = parts(made, "acme", by=by)
        assert len(changes) == 1 and next(iter(changes.values()))[0] == Decimal("24.7"), by
    code, output = finops("queries", "run", "acme", "movers", "--set", "by=colour", data=made.data)
    assert code == 1 and "'colour' is not a value of the parameter 'by'" in " ".join(output.split())


def test_a_service_that_vanished_is_listed(made: TemporaryInstallation) -> None:
    def vanished(tenant: str, **given: str) -> list[tuple[Any, ...]]:
        rows = ask(made, tenant, "vanished_services", **given)
        return [(r["service_name"], str(r["last_day"]), r["cost_before"]) for r in rows]

    gone = [(SQS, "2026-09-30", 15), ("Amazon Kinesis", "2026-10-04", 2)]
    assert vanished("acme") == gone, "SNS is new, and Kinesis was last used a week before the rest"
    assert vanished("acme", least="16") == vanished("globex") == []
