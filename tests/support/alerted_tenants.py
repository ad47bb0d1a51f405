"""Two tenants with an alert each, made by a rule of the installation, and receivers of messages.

Put here: the tenants, the rule, the fixtures of tests that send messages. Keep out: the receivers
themselves (message_receivers.py), expectations.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.alerts import AlertRun, deliver_alerts
from tests.conftest import TemporaryInstallation
from tests.support.message_receivers import Mailbox, Webhook, mailbox, webhook
from tests.support.rewound_folder import preserve, rewind
from tests.support.watched_tenants import TENANTS, bill, declare, use

OPS = {"name": "ops", "kind": "slack", "secret": "slack"}
MAIL = {"name": "mail", "kind": "email", "to": ["finance@acme.example", "cfo@acme.example"]}
MARKERS = {"acme": "mkacme7f3a", "globex": "mkglobex91c"}
HOSTILE = "<b>x</b> <!channel> @here [pay](http://evil.example) *bold*"
RULE = """\
-- costly: a resource of the bill, so that its id reaches people.
-- grain: alert_key
-- money: value
-- reads: resource_daily_costs
-- what to do: Look at the resource.

select
    coalesce(resource_id, '-') as alert_key,
    'SEVERITY' as severity,
    resource_id as subject,
    null::varchar as period,
    'Resource ' || resource_id || ' is costly. HOSTILE' as summary,
    sum(effective_cost) as value,
    null::decimal(38, 18) as threshold,
    'USD' as unit,
    'Look at it.' as cure
from resource_daily_costs
where CONDITION
group by resource_id
"""


@pytest.fixture(scope="module")
def preserved_alerts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tenants have a bill with a resource whose id is the tenant's marker."""

    def make(folder: Path) -> None:
        made = TemporaryInstallation(folder / "data")
        declare(made, {})
        for tenant in TENANTS:
            bill(made, tenant, [use("10", "2026-11-20", "2026-11-27", resource=MARKERS[tenant])])

    return preserve(tmp_path_factory.mktemp("alerts"), make)


@pytest.fixture
def alerted(preserved_alerts: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryInstallation:
    made = TemporaryInstallation(rewind(preserved_alerts) / "data")
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    monkeypatch.setenv("FINOPS_CHANNEL_SECONDS", "1")
    monkeypatch.setenv("FINOPS_ALERT_RULES", str(made.data.parent / "rules"))
    plant(made)
    set_time(monkeypatch, "2026-11-28T12:30")
    return made


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as running:
        monkeypatch.setenv("FINOPS_WEBHOOK_HOSTS", running.place)
        for tenant in TENANTS:
            variable = f"FINOPS_SECRET__{tenant.upper()}__SLACK"
            monkeypatch.setenv(variable, running.url(f"/{tenant}"))
        yield running


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mailbox() as running:
        use_mailbox(monkeypatch, running, "none")
        yield running


def use_mailbox(monkeypatch: pytest.MonkeyPatch, box: Mailbox, security: str) -> None:
    settings = {"HOST": "127.0.0.1", "PORT": str(box.port), "SECURITY": security}
    for name, value in {**settings, "FROM": "finops@operator.example"}.items():
        monkeypatch.setenv(f"FINOPS_SMTP_{name}", value)


def plant(made: TemporaryInstallation, condition: str = "true", severity: str = "warning") -> None:
    """Write the installation's own rule."""
    folder = made.data.parent / "rules"
    folder.mkdir(exist_ok=True)
    sql = RULE.replace("SEVERITY", severity).replace("HOSTILE", HOSTILE)
    (folder / "costly.sql").write_text(sql.replace("CONDITION", condition))


def set_time(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Let the clock stand still at a time (UTC)."""
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(f"{moment}:00+00:00"))


def run_rules(made: TemporaryInstallation, tenant: str = "acme") -> AlertRun:
    return deliver_alerts(made.installation, tenant)


def to(*channels: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """Return sections in which both tenants have these channels."""
    return {tenant: {"alerts": {"channels": list(channels), **more}} for tenant in TENANTS}
