"""The rules of alerts on planted tables: what each has to find, and near misses.

Put here: rules whose tables are easier to plant than to bill, above all anomalies. Keep out: rules
on ingested bills (test_alert_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.lake.duck import Limits, open_in_memory
from finops_pipeline.marts.alert_findings import FoundAlert, RuleInputs, run_alert_rules
from finops_pipeline.marts.alert_rules_library import shipped_alert_rules
from finops_pipeline.tenants.alert_settings import RuleChoice

DAY = date(2026, 11, 28)


def found_in(
    rule: str, tables: dict[str, Sequence[dict[str, Any]]], **values: str
) -> list[FoundAlert]:
    """Run a shipped rule on tables that have these rows."""
    (chosen,) = (each for each in shipped_alert_rules() if each.name == rule)
    contracts = {table.name: table for table in TABLES}
    with open_in_memory({}) as connection:
        for name, rows in tables.items():
            columns = contracts[name].columns
            listed = ", ".join(f'"{c.name}" {c.type}' for c in columns)
            connection.execute(f"create table {name} ({listed})")
            for record in rows:
                marks = [record.get(column.name) for column in columns]
                connection.execute(
                    f"insert into {name} values ({', '.join('?' for _ in marks)})", marks
                )
        choice = RuleChoice(values={name: Decimal(value) for name, value in values.items()})
        inputs = RuleInputs(DAY, (), (), {rule: choice})
        results = run_alert_rules(connection, [chosen], inputs, Limits())
        assert results.judged == {rule}, results.alerts
        return list(results.alerts)


def days(costs: Iterable[tuple[int, str]], **more: str) -> list[dict[str, Any]]:
    """Return daily costs: pairs of days before the last complete one, and a cost."""
    base = {"source": "payer", "project": "prod", "service_name": "S3", "billing_currency": "USD",
            "charge_category": "Usage", "row_kind": "line", "charge_group": "usage"}  # fmt: skip
    return [
        base
        | more
        | {"charge_date": date(2026, 11, 18) - timedelta(days=ago), "effective_cost": Decimal(cost)}
        for ago, cost in costs
    ]


def weekly(weekday: str, weekend: str, number: int = 60) -> list[tuple[int, str]]:
    """Return costs of days that have a weekly rhythm, from yesterday's incomplete one back."""
    last = date(2026, 11, 18)
    return [
        (ago, weekend if (last - timedelta(days=ago)).weekday() >= 5 else weekday)
        for ago in range(-1, number)
    ]


SPIKE = [(ago, cost if ago != 1 else "190.00") for ago, cost in weekly("100.00", "20.00")]
ANOMALIES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "a spike on a flat series": (days(SPIKE), ["2026-11-17"]),
    "a weekly rhythm": (days(weekly("100.00", "20.00")), []),
    "a spike that is small": (days([(a, "19" if a == 1 else "1") for a in range(-1, 60)]), []),
    "the incomplete day": (days([(a, "500" if a == -1 else "1") for a in range(-1, 60)]), []),
    "a spike that is old": (days([(a, "500" if a == 9 else "1") for a in range(-1, 60)]), []),
    "too little history": (days([(a, "500" if a == 1 else "1") for a in range(-1, 25)]), []),
    "enough history": (
        days([(a, "500" if a == 1 else "1") for a in range(-1, 32)]), ["2026-11-17"]),
    "a noisy series": (
        days([*((a, str(100 + (a * 7919) % 60)) for a in range(2, 60)), (1, "190"), (-1, "1")]),
        []),
    "a new service": (
        days([(a, "1") for a in range(-1, 60)]) + days([(1, "80.00")], service_name="Bedrock"),
        ["2026-11-17"]),
    "a rise that a fall hides": (
        days(SPIKE) + days([(a, "10.00" if a == 1 else "100.00") for a in range(-1, 60)],
                           service_name="EC2"), ["2026-11-17"]),
    "a purchase": (
        days([(a, "1") for a in range(-1, 60)])
        + days([(1, "9000")], charge_category="Purchase", charge_group="upfront_and_fees"), []),
}  # fmt: skip


@pytest.mark.parametrize("case", ANOMALIES)
def test_an_anomaly_is_told_from_a_rhythm(case: str) -> None:
    rows, expected = ANOMALIES[case]
    found = found_in("cost_anomaly", {"resource_daily_costs": rows})
    assert [alert.period for alert in found] == expected
    assert all(isinstance(alert.value, Decimal) for alert in found)


def test_the_words_of_an_anomaly() -> None:
    (alert,) = found_in("cost_anomaly", {"resource_daily_costs": days(SPIKE)})
    assert alert.summary == (
        "S3 cost project prod 190.00 USD on 2026-11-17; 100.00 USD is usual on that day of the"
        " week."
    )
    assert (alert.value, alert.threshold, alert.key) == (190, 100, "prod/S3/payer/USD")
    assert not found_in("cost_anomaly", {"resource_daily_costs": days(SPIKE)}, least="91")


def test_fees_of_the_first_of_a_month_are_usual() -> None:
    first = date(2026, 11, 1)
    costs = [(day, "60" if day in (first, date(2026, 10, 1)) else "1")
             for day in (first + timedelta(days=1 - n) for n in range(60))]  # fmt: skip
    rows = [
        record | {"charge_date": day, "effective_cost": Decimal(cost)}
        for record, (day, cost) in zip(days([(0, "0")] * len(costs)), costs, strict=True)
    ]
    assert not found_in("cost_anomaly", {"resource_daily_costs": rows})
    assert found_in(
        "cost_anomaly",
        {"resource_daily_costs": [r for r in rows if r["charge_date"] != date(2026, 10, 1)]},
    )


def test_a_commitment_that_ends_soon() -> None:
    def lasting(until: datetime | None, name: str, month: str = "2026-11") -> dict[str, Any]:
        return {"billing_period": month, "source": "payer", "commitment_discount_id": name,
                "commitment_discount_type": "Savings Plan", "end_time": until}  # fmt: skip

    rows = [
        lasting(datetime(2026, 12, 5, tzinfo=UTC), "sp-week"),
        lasting(datetime(2026, 12, 28, tzinfo=UTC), "sp-month"),
        lasting(datetime(2026, 12, 29, tzinfo=UTC), "sp-later"),
        lasting(datetime(2026, 11, 27, tzinfo=UTC), "sp-over"),
        lasting(None, "sp-unknown"),
        lasting(datetime(2026, 12, 1, tzinfo=UTC), "sp-gone", "2026-10"),
    ]
    found = {
        alert.subject: alert for alert in found_in("expiring_commitment", {"commitments": rows})
    }
    assert {name: alert.severity for name, alert in found.items()} == {
        "sp-week": "critical",
        "sp-month": "warning",
    }
    assert found["sp-week"].summary == "Savings Plan sp-week ends on 2026-12-05."


def test_waste_above_a_limit_counts_each_saving_once() -> None:
    rows = [
        {"project": project, "billing_currency": "USD", "status": status,
         "counted_saving": Decimal(saving)}
        for project, status, saving in (
            ("prod", "open", "60.00"), ("prod", "accepted", "40.00"), ("prod", "open", "0"),
            ("dev", "open", "99.99"), ("dev", "dismissed", "50.00"))
    ]  # fmt: skip
    (alert,) = found_in("waste", {"waste_findings": rows})
    assert alert.summary == (
        "Project prod could save 100.00 USD in 30 days, with 2 findings of waste."
    )
    assert len(found_in("waste", {"waste_findings": rows}, least="99.99")) == 2


def test_months_and_checks_that_do_not_hold() -> None:
    result = {"check_name": "bills_apart", "billing_period": "2026-10", "state": "failed",
              "severity": "warn", "rows": 1, "says": "Rows that two bills have."}  # fmt: skip
    rows = [result, result | {"check_name": "currencies_apart", "state": "passed"}]
    (alert,) = found_in("failed_check", {"check_results": rows})
    assert alert.summary == (
        "The check bills_apart found 1 row in 2026-10: Rows that two bills have."
    )
