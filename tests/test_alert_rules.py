"""The rules of alerts, each with what it has to find and a near miss, in two tenants' own files.

Put here: what the shipped rules find, own rules that are broken, what no rule can know. Keep out:
telling people (test_alert_delivery.py).
"""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from finops_pipeline import clock
from finops_pipeline.application.alerts import deliver_alerts, list_alerts
from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.lake.rule_reading import reading_for_rules
from finops_pipeline.ledger.alert_records import AlertRecord
from finops_pipeline.marts.alert_findings import RuleInputs, run_alert_rules
from finops_pipeline.marts.alert_rules_library import shipped_alert_rules
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.rewound_folder import preserve, rewind
from tests.support.watched_tenants import TENANTS, bill, declare, use

DAY = date(2026, 11, 28)
BUDGETS = [{"name": "prod", "amount": 250, "currency": "USD", "project": "prod"}]


@pytest.fixture(scope="module")
def preserved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tenants with the same quiet bills; only acme has a budget."""

    def make(folder: Path) -> None:
        made = TemporaryInstallation(folder / "data")
        declare(made, {"acme": {"budgets": BUDGETS}})
        for tenant in TENANTS:
            bill(made, tenant, [use("10", "2026-11-01", "2026-11-20")])

    return preserve(tmp_path_factory.mktemp("rules"), make)


@pytest.fixture
def made(preserved: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryInstallation:
    made = TemporaryInstallation(rewind(preserved) / "data")
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    return made


def open_alerts(made: TemporaryInstallation, tenant: str = "acme") -> dict[str, AlertRecord]:
    deliver_alerts(made.installation, tenant)
    return {alert.rule: alert for alert in list_alerts(made.installation, tenant)}


def test_a_budget_that_will_be_passed_is_a_warning_of_its_own_tenant(
    made: TemporaryInstallation,
) -> None:
    assert open_alerts(made).keys() == {"budget"}
    alert = open_alerts(made)["budget"]
    assert (alert.severity, alert.value, alert.threshold) == ("warning", 300, 250)
    assert alert.summary == (
        "Budget prod of 250.00 USD will be passed on 2026-11-26: the month will cost 300.00 USD at"
        " the present rate."
    )
    assert open_alerts(made, "globex") == {}
    bill(made, "acme", [use("20", "2026-11-01", "2026-11-20")])
    alert = open_alerts(made)["budget"]
    assert alert.severity == "critical" and "was passed on 2026-11-13" in alert.summary


def test_a_refused_delivery_and_quarantined_rows_are_found_and_recover(
    made: TemporaryInstallation,
) -> None:
    export = made.data.parent / "bills/acme/cur"
    manifest = deliver(export, [row("1", day="2026-09-05")], "2026-09")
    good = manifest.with_name("cur-1.csv.gz").read_bytes()
    manifest.with_name("cur-1.csv.gz").write_bytes(b"damaged")
    deliver(export, [row("1", day="2026-10-05"), row("one", day="2026-10-05")], "2026-10")
    made.ingest("acme")
    alerts = open_alerts(made)
    assert {"failed_delivery", "quarantined_rows"} <= alerts.keys()
    refused, left_out = alerts["failed_delivery"], alerts["quarantined_rows"]
    assert (refused.severity, refused.period) == ("critical", "2026-09")
    assert "the month has no charges yet" in refused.summary
    assert (left_out.period, left_out.value) == ("2026-10", 1)
    assert not open_alerts(made, "globex")
    manifest.with_name("cur-1.csv.gz").write_bytes(good)
    deliver(export, [row("1", day="2026-10-05")], "2026-10", assembly="two")
    assert not made.ingest("acme").failed
    assert open_alerts(made).keys() == {"budget"}


def test_a_late_delivery_is_found_before_anything_was_built(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(made.folder("globex"))
    assert "yet" in open_alerts(made, "globex")["late_delivery"].summary
    assert "late_delivery" not in open_alerts(made)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=4))
    late = open_alerts(made)["late_delivery"]
    assert (late.severity, late.value, late.threshold, late.unit) == ("warning", 4, 3, "days")
    path = made.data.parent / "tenants.yaml"
    rules = {"late_delivery": {"days": 5}, "late_delivry": {"days": 5}}
    path.write_text(
        path.read_text().replace(
            '"budgets"', f'"alerts": {{"rules": {json.dumps(rules)}}}, "budgets"'
        )
    )
    made.apply(path)
    alerts = open_alerts(made)
    assert "late_delivery" not in alerts
    assert "Did you mean late_delivery?" in alerts["broken_rule"].summary


BROKEN = {
    "no_select": ("select nothing from nowhere", "nowhere"),
    "no_end": ("select * from range(100000000000) as a (b)", "alert_key"),
    "float": (
        "select 'k' as alert_key, 'info' as severity, 's' as subject, null as period, 't' as"
        " summary, 0.1::double as value, null as threshold, null as unit, 'c' as cure",
        "expected an exact decimal",
    ),
    "severity": (
        "select 'k' as alert_key, 'red' as severity, 's' as subject, null as period, 't' as"
        " summary, 1 as value, null as threshold, null as unit, 'c' as cure",
        "'red'; expected one of",
    ),
    "listed": (
        "select 'k' as alert_key, ['info'] as severity, 's' as subject, null as period, 't' as"
        " summary, 1 as value, null as threshold, null as unit, 'c' as cure",
        "['info']; expected one of",
    ),
    "file": ("select * from read_text('/etc/passwd')", "disabled by configuration"),
    "too_many": (
        "select i::varchar as alert_key, 'info' as severity, 's' as subject, null as period, 't'"
        " as summary, 1 as value, null as threshold, null as unit, 'c' as cure"
        " from range(1000) as r (i)",
        "more than 200 alerts",
    ),
    "slow": (
        "select 'k' as alert_key, 'info' as severity, 's' as subject, null as period,"
        " count(*)::varchar as summary, 1 as value, null as threshold, null as unit, 'c' as cure"
        " from range(100000000) as a (i), range(100000000) as b (j) where i % 7 = j % 11",
        "stopped after",
    ),
}
HEAD = (
    "-- {name}: something.\n-- grain: alert_key\n-- money: none\n-- reads: nothing\n"
    "-- what to do: Nothing.\n\n"
)


def test_a_broken_rule_is_an_alert_and_stops_no_other(
    made: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (sql, _) in BROKEN.items():
        (tmp_path / f"{name}.sql").write_text(HEAD.format(name=name) + sql)
    (tmp_path / "headless.sql").write_text("select 1")
    (tmp_path / "latin.sql").write_bytes(b"-- latin: caf\xe9")
    monkeypatch.setenv("FINOPS_ALERT_RULES", str(tmp_path))
    monkeypatch.setenv("FINOPS_QUERY_SECONDS", "1")
    deliver_alerts(made.installation, "acme")
    alerts = list_alerts(made.installation, "acme")
    broken = {alert.alert_key: alert.summary for alert in alerts if alert.rule == "broken_rule"}
    assert broken.keys() == {*BROKEN, "headless", "latin"}
    for name, (_, reason) in BROKEN.items():
        assert reason in broken[name], broken[name]
    assert "root:" not in str(broken)
    assert "budget" in {alert.rule for alert in alerts}

    # a rule that can no longer be run says nothing about its alerts, and a repaired one recovers
    (tmp_path / "budget.sql").write_text(HEAD.format(name="budget") + "select 1 from nowhere")
    (tmp_path / "headless.sql").unlink()
    deliver_alerts(made.installation, "acme")
    alerts = {(a.rule, a.alert_key): a for a in list_alerts(made.installation, "acme")}
    assert "nowhere" in alerts["broken_rule", "budget"].summary
    assert ("budget", "prod/2026-11") in alerts and ("broken_rule", "headless") not in alerts
    for path in tmp_path.glob("*.sql"):
        path.unlink()
    assert open_alerts(made).keys() == {"budget"}
    monkeypatch.setenv("FINOPS_ALERT_RULES", str(tmp_path / "nowhere"))
    assert "cannot be read" in open_alerts(made)["broken_rule"].summary
    assert "budget" in open_alerts(made)


def test_a_step_that_fails_is_open_until_a_run_without_it(made: TemporaryInstallation) -> None:
    failed = Step(Stage.WAREHOUSE, "acme", "", StepOutcome.REFUSED, reason="numbers differ")
    landed = Step(Stage.LANDING, "acme/payer", "2026-11", StepOutcome.REFUSED, reason="damaged")
    missing = Step(Stage.LANDING, "acme/payer", "", StepOutcome.REFUSED, reason="no folder")
    run = deliver_alerts(made.installation, "acme", [failed, landed, missing])
    alert, other = (alert for alert in run.open_alerts if alert.rule == "failed_run")
    assert {alert.alert_key, other.alert_key} == {"warehouse/acme/", "landing/acme/payer/"}
    deliver_alerts(made.installation, "acme", [failed])
    (alert,) = (alert for alert in run.open_alerts if alert.alert_key == "warehouse/acme/")
    assert alert.severity == "critical" and "numbers differ" in alert.summary
    assert "failed_run" in open_alerts(made)
    deliver_alerts(made.installation, "globex", made.ingest("globex").steps)
    steps = made.ingest("acme").steps
    assert not deliver_alerts(made.installation, "acme", steps).open_alerts[1:]
    assert "failed_run" not in open_alerts(made)


def test_a_file_that_cannot_be_read_is_an_alert(made: TemporaryInstallation) -> None:
    assert open_alerts(made).keys() == {"budget"}
    file = made.folder("acme") / "acme.duckdb"
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content[:-1] + b"x")
    alerts = open_alerts(made)
    assert alerts.keys() == {"budget", "unreadable_file"}  # nothing is known of the budget
    assert "finops rebuild acme" in alerts["unreadable_file"].cure


def test_every_rule_runs_on_the_tables_as_they_are(made: TemporaryInstallation) -> None:
    inputs = RuleInputs(DAY, (), (), {})
    installation = made.installation
    with reading_for_rules(installation.folder("acme"), TABLES) as connection:
        results = run_alert_rules(connection, shipped_alert_rules(), inputs, installation.limits)
    assert results.judged == {rule.name for rule in shipped_alert_rules()}
