"""Budgets: declared in tenants.yaml, spent and forecast in each tenant's own file.

Put here: `finops apply` and `finops budgets`, the forecast, the day of breach. Keep out: alerts
about budgets (test_alert_rules.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.tenants.project_references import rename_project_references
from tests.conftest import TemporaryInstallation
from tests.support.alerted_tenants import set_time
from tests.support.made_once import made_once
from tests.support.watched_tenants import DEV, bill, declare, use

USD = {"amount": "1000.00", "currency": "USD"}
BUDGETS = [
    {"name": "everything", **USD},
    {"name": "prod", "amount": 250, "currency": "USD", "project": "prod"},
    {"name": "dev", "amount": "81.50", "currency": "USD", "project": "dev"},
    {"name": "tests", "amount": 200, "currency": "USD", "environment": "test"},
    {"name": "web", "amount": 300, "currency": "USD", "dimension": {"team": "web"}},
    {"name": "cash", "amount": 250, "currency": "USD", "project": "prod", "basis": "billed"},
    {"name": "euros", "amount": 100, "currency": "EUR"},
]
DIMENSIONS = {
    "names": ["team"],
    "rules": [
        {"name": "web", "dimension": "team", "value": "web", "priority": 1,
         "when": {"projects": ["prod"]}}
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """November has bills up to the 20th, whose last day may be incomplete."""

    def make(folder: Path) -> None:
        made = TemporaryInstallation(folder / "data")
        sections = {"budgets": BUDGETS, "dimensions": DIMENSIONS}
        declare(made, {"acme": sections, "globex": {"budgets": BUDGETS[:1]}})
        bill(
            made,
            "acme",
            [
                use("10.00", "2026-10-20", "2026-11-19"),
                use("1.00", "2026-11-20", "2026-11-20"),
                use("5.00", "2026-10-20", "2026-11-20", account=DEV, resource="i-1"),
                use("-7.00", "2026-11-03", "2026-11-03", account=DEV, resource="", kind="Credit"),
            ],
        )
        bill(made, "globex", [use("999.00", "2026-11-18", "2026-11-20")])

    return TemporaryInstallation(made_once(tmp_path_factory, "budgeted", make) / "data")


def status(
    made: TemporaryInstallation, tenant: str, month: str = "2026-11"
) -> dict[str, dict[str, Any]]:
    out = made.finops("budgets", tenant, "--month", month, "--format", "json").stdout
    return {row["budget"]: row for row in json.loads(out, parse_float=Decimal, parse_int=Decimal)}


def test_a_budget_knows_what_was_spent_and_what_the_month_will_cost(
    budgeted: TemporaryInstallation,
) -> None:
    rows = status(budgeted, "acme")
    # 19 complete days and eleven more of 10.00; of the 20th the bill has only 1.00 yet
    assert rows["prod"]["actual_cost"] == Decimal("191.00")
    assert rows["prod"]["daily_cost"] == 10
    assert rows["prod"]["forecast_cost"] == Decimal("300.00")
    assert (rows["prod"]["state"], rows["prod"]["as_of_day"]) == ("forecast over", "2026-11-19")
    assert rows["prod"]["breach_day"] == "2026-11-26"
    assert rows["cash"]["forecast_cost"] == Decimal("300.00")
    assert (rows["web"]["actual_cost"], rows["web"]["state"]) == (Decimal("191.00"), "within")


def test_a_budget_that_is_spent_names_the_day(budgeted: TemporaryInstallation) -> None:
    rows = status(budgeted, "acme")
    # 20 days of 5.00, less a credit of 7.00 on the 3rd: 81.50 is passed on the 18th
    assert (rows["dev"]["state"], rows["dev"]["breach_day"]) == ("over", "2026-11-18")
    assert (rows["dev"]["actual_cost"], rows["dev"]["credits"]) == (93, -7)
    assert (rows["tests"]["state"], rows["tests"]["forecast_cost"]) == ("within", 143)


def test_forecasts_of_projects_add_up_to_that_of_the_tenant(
    budgeted: TemporaryInstallation,
) -> None:
    rows = status(budgeted, "acme")
    assert rows["everything"]["forecast_cost"] == Decimal("443.00")
    parts = (rows["prod"]["forecast_cost"], rows["dev"]["forecast_cost"])
    assert sum(parts) == rows["everything"]["forecast_cost"]


def test_another_currency_is_not_counted_and_a_new_tenant_is_not_forecast(
    budgeted: TemporaryInstallation,
) -> None:
    euros = status(budgeted, "acme")["euros"]
    assert (euros["actual_cost"], euros["reason"]) == (0, "Charges in USD are not counted.")
    (row,) = status(budgeted, "globex").values()
    assert (row["state"], row["actual_cost"]) == ("over", 2997)
    assert row["forecast_cost"] is None and "too few for a forecast" in row["reason"]


def test_a_finished_month_is_what_it_cost(budgeted: TemporaryInstallation) -> None:
    row = status(budgeted, "acme", "2026-10")["prod"]
    assert (row["state"], row["actual_cost"], row["forecast_cost"]) == ("within", 120, 120)


def test_budgets_survive_export_and_rename(budgeted: TemporaryInstallation, tmp_path: Path) -> None:
    exported = budgeted.finops("tenant", "export").stdout
    assert "- name: web\n    amount: '300'\n    currency: USD\n    dimension:\n" in exported
    path = budgeted.data.parent / "tenants.yaml"
    assert "nothing changed" in budgeted.finops("apply", str(path)).stdout
    tenant = budgeted.installation.registry.tenant("acme")
    renamed = rename_project_references(tenant, "prod", "live")
    assert [budget.project for budget in renamed.budgets if budget.project] == [
        *("live", "dev", "live")
    ]


def test_a_row_dated_ahead_and_a_monthly_fee_change_no_forecast(
    empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days after that of the landing are not complete, and a fee of the 1st comes once."""
    set_time(monkeypatch, "2026-11-06T12:00")
    web = [budget for budget in BUDGETS if budget["name"] in ("prod", "web")]
    sections = {"budgets": web, "dimensions": DIMENSIONS}
    declare(empty, dict.fromkeys(("acme", "globex"), sections))
    daily = use("10.00", "2026-10-20", "2026-11-05")
    fee = replace(use("60.00", "2026-11-01", "2026-11-01"), usage_type="Monthly-Fee")
    bill(empty, "globex", [daily])
    bill(empty, "acme", [daily, fee, use("1.00", "2026-11-30", "2026-11-30")])
    plain = status(empty, "globex")
    for budget, row in status(empty, "acme").items():
        assert (row["as_of_day"], row["daily_cost"]) == ("2026-11-04", 10)
        assert plain[budget]["forecast_cost"] == 300
        assert (row["actual_cost"], row["forecast_cost"]) == (111, 360), budget
    assert status(empty, "acme")["prod"]["breach_day"] == "2026-11-20"


def test_a_forecast_is_never_less_than_the_actual_cost(
    empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_time(monkeypatch, "2026-11-29T12:00")
    declare(empty, {"acme": {"budgets": BUDGETS[:1]}})
    bill(empty, "globex", [use("1.00", "2026-11-01", "2026-11-29")])
    bill(
        empty,
        "acme",
        [use("1.00", "2026-11-01", "2026-11-28"), use("90.00", "2026-11-29", "2026-11-29")],
    )
    row = status(empty, "acme")["everything"]
    assert (row["actual_cost"], row["forecast_cost"], row["state"]) == (118, 118, "within")


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "unknown project": (lambda b: b.update(project="prood"), "Did you mean prod?"),
    "unknown environment": (lambda b: b.update(environment="prod"), "one of: live, test"),
    "unknown dimension": (lambda b: b.update(dimension={"team": "web"}), "the dimension 'team'"),
    "two scopes": (lambda b: b.update(project="prod", environment="live"), "project and environ"),
    "no currency": (lambda b: b.pop("currency"), "budgets, entry 1.currency is missing"),
    "nothing": (lambda b: b.update(amount=0), "more than 0"),
    "negative": (lambda b: b.update(amount="-1"), "budgets.all.amount is '-1'"),
    "basis": (lambda b: b.update(basis="list"), "one of: effective, billed"),
    "odd field": (lambda b: b.update(projct="prod"), "Did you mean project?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_budget_that_means_nothing_is_refused(empty: TemporaryInstallation, case: str) -> None:
    change, message = WRONG[case]
    budget: dict[str, Any] = {"name": "all", "amount": 1, "currency": "USD"}
    change(budget)
    declare(empty, {})
    path = empty.data.parent / "tenants.yaml"
    declared = json.loads(path.read_text())
    declared["tenants"][0]["budgets"] = [budget]
    path.write_text(json.dumps(declared))
    assert message in empty.finops("apply", str(path), ok=False).stderr
    assert not any(tenant.budgets for tenant in empty.installation.registry.tenants())


def test_a_project_with_a_budget_cannot_be_removed(budgeted: TemporaryInstallation) -> None:
    done = budgeted.finops("project", "remove", "acme/prod", "--yes", "acme/prod", ok=False)
    assert "budgets.prod and budgets.cash" in done.stderr
