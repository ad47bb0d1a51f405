"""Alerts reach people: real webhooks, mails and commands, whatever the receiver does.

Put here: routing, de-duplication, snooze, recovery, digest, quiet hours, failures of receivers.
Keep out: what the rules find (test_alert_rules.py), reports (test_reports.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.alerts import (
    AlertRun,
    Snooze,
    deliver_alerts,
    list_alerts,
    read_history,
    snooze_alert,
    try_channels,
)
from finops_pipeline.errors import RegistryError
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
def preserved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tenants have a bill with a resource whose id is the tenant's marker."""

    def make(folder: Path) -> None:
        made = TemporaryInstallation(folder / "data")
        declare(made, {})
        for tenant in TENANTS:
            bill(made, tenant, [use("10", "2026-11-20", "2026-11-27", resource=MARKERS[tenant])])

    return preserve(tmp_path_factory.mktemp("alerts"), make)


@pytest.fixture
def made(preserved: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryInstallation:
    made = TemporaryInstallation(rewind(preserved) / "data")
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


def run(made: TemporaryInstallation, tenant: str = "acme") -> AlertRun:
    return deliver_alerts(made.installation, tenant)


def to(*channels: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """Return sections in which both tenants have these channels."""
    return {tenant: {"alerts": {"channels": list(channels), **more}} for tenant in TENANTS}


def test_an_alert_is_told_once_and_so_is_its_end(
    made: TemporaryInstallation, hook: Webhook
) -> None:
    declare(made, to(OPS))
    for tenant in TENANTS:
        first = run(made, tenant)
        assert [change.event for change in first.changes] == ["opened"]
        assert not run(made, tenant).changes
        (text,) = hook.texts(f"/{tenant}")
        assert MARKERS[tenant] in text and "What to do: Look at it." in text
    plant(made, "false")
    assert [change.event for change in run(made).changes] == ["recovered"]
    assert "Alerts that have recovered" in hook.texts("/acme")[1]
    assert len(hook.texts("/globex")) == 1
    listed = json.loads(made.finops("alerts", "list", "acme", "--all", "--format", "json").stdout)
    assert [(row["rule"], row["state"]) for row in listed] == [("costly", "recovered")]


def test_no_message_has_a_word_of_another_tenant(
    made: TemporaryInstallation, hook: Webhook, box: Mailbox, tmp_path: Path
) -> None:
    """Over every kind of channel, though both tenants are told in the same minute."""
    program = tmp_path / "receive"
    program.write_text(f"#!/bin/sh\ncat >> {tmp_path}/$1.json; env >> {tmp_path}/$1.json\n")
    program.chmod(0o755)
    declare(
        made,
        {
            tenant: {
                "alerts": {
                    "channels": [
                        OPS,
                        {"name": "mail", "kind": "email", "to": [f"a@{tenant}.example"]},
                        {"name": "pager", "kind": "command", "command": [str(program), tenant]},
                    ],
                    "report": {"every": "day", "channels": ["ops", "mail", "pager"]},
                }
            }
            for tenant in TENANTS
        },
    )
    assert made.finops("alerts", "send").returncode == 0
    assert len(box.mails) == 4
    for tenant, other in (TENANTS, TENANTS[::-1]):
        mails = [mail for mail in box.mails if mail["X-Recipients"] == f"a@{tenant}.example"]
        content = (tmp_path / f"{tenant}.json").read_text()
        words = str([*hook.texts(f"/{tenant}"), *map(str, mails), content]).lower()
        assert words.count(MARKERS[tenant]) >= 4
        assert MARKERS[other] not in words and other not in words.replace(str(tmp_path), "")
        assert "FINOPS_" not in content


def test_words_of_a_bill_are_no_markup(
    made: TemporaryInstallation, hook: Webhook, box: Mailbox
) -> None:
    declare(made, to(OPS, MAIL))
    run(made)
    (sent,) = [body for path, body in hook.received if path == "/acme"]
    assert not sent["mrkdwn"]
    for markup in ("<b>", "<!channel>", "@here", "](http", "http://", "*bold*"):
        assert markup not in sent["text"]
    assert "&lt;!channel&gt;" in sent["text"]
    (mail,) = box.mails
    assert mail["Subject"] == "Acme <Inc> & Co. (acme): 1 alert"
    assert mail["X-Recipients"] == "finance@acme.example, cfo@acme.example"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert HOSTILE in text
    assert "<b>" not in html and "&lt;b&gt;x&lt;/b&gt;" in html and "Acme &lt;Inc&gt;" in html


def test_a_channel_gets_its_severities_and_critical_alerts_break_quiet_hours(
    made: TemporaryInstallation,
    hook: Webhook,
    box: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet = {"quiet_hours": "22:00-07:00", "severities": ["critical", "warning"]}
    declare(made, to(OPS | quiet, MAIL | {"severities": ["info"]}, time_zone="America/New_York"))
    set_time(monkeypatch, "2026-11-29T04:30")  # half past eleven at night in New York
    run(made)
    assert not hook.received
    plant(made, severity="critical")
    assert [change.event for change in run(made).changes] == ["worse"]
    assert "Alerts that got worse" in hook.texts("/acme")[0]
    set_time(monkeypatch, "2026-11-29T11:59")
    run(made)
    assert len(hook.received) == 1
    set_time(monkeypatch, "2026-11-29T12:00")
    run(made)
    assert "New alerts" in hook.texts("/acme")[1]
    assert not box.mails


def test_a_digest_is_sent_once_a_day(
    made: TemporaryInstallation, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(made, to(OPS | {"digest": "08:00"}, time_zone="Europe/Berlin"))
    run(made)
    plant(made, "false")
    run(made)
    set_time(monkeypatch, "2026-11-29T06:59")
    run(made)
    assert not hook.received
    set_time(monkeypatch, "2026-11-29T07:00")
    run(made)
    (text,) = hook.texts("/acme")
    assert "digest: 1 alert, 1 recovered" in text
    assert run(made).deliveries == ()


def test_a_snoozed_alert_is_silent_until_its_time(
    made: TemporaryInstallation, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(made, to(OPS))
    (alert,) = run(made).open_alerts
    made.finops("alerts", "snooze", "acme", alert.alert_id, "--days", "1", "--reason", "known")
    until = datetime.fromisoformat("2026-11-28T18:00:00+00:00")
    changed = snooze_alert(made.installation, "acme", alert.alert_id, Snooze(until, "known"))
    assert changed.snooze_reason == "known"
    plant(made, severity="critical")
    assert not run(made).changes
    with pytest.raises(RegistryError, match="has passed already"):
        past = Snooze(datetime.fromisoformat("2026-11-28T12:00:00+00:00"))
        snooze_alert(made.installation, "acme", alert.alert_id, past)
    set_time(monkeypatch, "2026-11-28T18:00")
    assert [change.event for change in run(made).changes] == ["still open"]
    assert len(hook.texts("/acme")) == 2
    assert not run(made).changes
    done = made.finops("alerts", "snooze", "globex", alert.alert_id, ok=False)
    assert "tenant globex has no alert" in done.stderr


@pytest.mark.parametrize(
    ("fault", "attempts", "reason"),
    [
        ({"answers": [500] * 3}, 3, "answered 500"),
        ({"answers": [429, 503, 500]}, 3, "answered 500"),
        ({"answers": [404]}, 1, "answered 404"),
        ({"answers": [302], "location": "http://127.0.0.1:1/latest/meta-data"}, 1, "a redirect"),
        ({"is_hanging": True}, 3, "did not answer within 1 s"),
    ],
)
def test_a_webhook_that_fails_is_reported_and_nothing_is_lost(
    made: TemporaryInstallation,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    attempts: int,
    reason: str,
) -> None:
    declare(made, to(OPS))
    for name, value in fault.items():
        setattr(hook, name, value)
    begin = clock.stopwatch()
    (failure,) = run(made).failures
    assert clock.stopwatch() - begin < 15
    assert (failure.attempts, reason in failure.reason) == (attempts, True), failure
    assert len(hook.received) == attempts  # no redirect was followed
    assert not run(made).deliveries  # it is left alone for a minute
    hook.answers, hook.location, hook.is_hanging = [], "", False
    assert [a.rule for a in list_alerts(made.installation, "acme")][1:] == ["undelivered_messages"]
    set_time(monkeypatch, "2026-11-28T12:32")
    (sent,) = run(made).deliveries
    assert sent.outcome == "sent" and MARKERS["acme"] in hook.texts("/acme")[-1]
    assert [change.event for change in run(made).changes] == ["recovered"]
    history = made.finops("alerts", "history", "acme", "--format", "json").stdout
    assert [row["outcome"] for row in json.loads(history)] == ["failed", "sent"]


def test_a_webhook_is_tried_again_at_once(made: TemporaryInstallation, hook: Webhook) -> None:
    declare(made, to(OPS))
    hook.answers = [500, 503]
    (sent,) = run(made).deliveries
    assert (sent.outcome, sent.attempts) == ("sent", 3)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example/x", "has no https"),
        ("https://127.0.0.1/x", "is inside the network"),
        ("https://169.254.169.254/latest/meta-data", "is inside the network"),
        ("https://[::ffff:10.0.0.1]/x", "is inside the network"),
        ("https://localhost:1/x", "is inside the network"),
        ("https://user:word@hooks.example/x", "is not a URL"),
        ("ftp://hooks.example/x", "is not a URL"),
        ("", "FINOPS_SECRET__ACME__SLACK is not set"),
    ],
)
def test_a_webhook_cannot_reach_into_the_network(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("FINOPS_SECRET__ACME__SLACK", url)
    declare(made, to(OPS))
    (result,) = try_channels(made.installation, "acme")
    assert (result.outcome, reason in result.reason) == ("failed", True), result.reason
    assert "meta-data" not in result.reason and "word" not in result.reason


def test_one_channel_that_fails_stops_no_other(
    made: TemporaryInstallation, hook: Webhook, box: Mailbox
) -> None:
    declare(made, to(MAIL, OPS))
    box.refusal = "554 no"
    outcomes = {delivery.channel: delivery.outcome for delivery in run(made).deliveries}
    assert outcomes == {"mail": "failed", "ops": "sent"}
    run(made)
    assert "failed over channel mail" in hook.texts("/acme")[1]
    box.refusal = "451 later"
    done = made.finops("alerts", "test", "acme", "mail", ok=False)
    assert "answered 451" in done.stderr
    waiting = read_history(made.installation, "acme").waiting
    assert [message.channel for message in waiting] == ["mail"]


def test_mail_is_sent_with_starttls_and_a_password(
    made: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(made, to(MAIL))
    with mailbox(tmp_path) as box:
        use_mailbox(monkeypatch, box, "starttls")
        monkeypatch.setenv("FINOPS_SMTP_USER", "finops")
        monkeypatch.setenv("FINOPS_SMTP_PASSWORD", "wrong")
        (refused,) = try_channels(made.installation, "acme")
        assert "a certificate that is not valid" in refused.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(box.certificate))
        (refused,) = try_channels(made.installation, "acme")
        assert "answered 535" in refused.reason and "wrong" not in refused.reason
        monkeypatch.setenv("FINOPS_SMTP_PASSWORD", "right-horse")
        (sent,) = try_channels(made.installation, "acme")
        assert (sent.outcome, box.users, len(box.mails)) == ("sent", ["finops"], 1)


def test_a_command_is_killed_when_it_hangs(made: TemporaryInstallation, tmp_path: Path) -> None:
    program = tmp_path / "hang"
    program.write_text(f"#!/bin/sh\nsleep 30 & echo $! > {tmp_path}/pid; wait\n")
    program.chmod(0o755)
    pager = {"name": "pager", "kind": "command", "command": [str(program)]}
    declare(made, to(pager, pager | {"name": "missing", "command": ["/nonexistent/page"]}))
    hung, missing = try_channels(made.installation, "acme")
    assert "did not end within 1 s" in hung.reason
    assert "cannot be started" in missing.reason
    pid = (tmp_path / "pid").read_text().strip()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a URL": ({"secret": "https://hooks.example/x"}, "is a URL"),
    "two hyphens": ({"secret": "a--b"}, "alerts.channels.ops.secret is 'a--b'"),
    "no secret": ({"secret": None}, "alerts.channels.ops.secret is missing"),
    "kind": ({"kind": "slak"}, "Did you mean slack?"),
    "other kind's": ({"to": ["a@b.example"]}, "a channel of kind slack has no such field"),
    "time": ({"digest": "8:00"}, "a time of day"),
    "hours": ({"quiet_hours": "22:00"}, "two times of day"),
    "severity": ({"severities": ["crit"]}, "Did you mean critical?"),
    "command": ({"kind": "command", "secret": None, "command": ["page"]}, "the absolute path"),
    "header": ({"kind": "email", "secret": None, "to": ["a@b.example\nBcc: c@d.example"]}, "is '"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_channel_that_cannot_work_is_refused(made: TemporaryInstallation, case: str) -> None:
    fields, message = WRONG[case]
    channel = {name: value for name, value in (OPS | fields).items() if value is not None}
    with pytest.raises(RegistryError, match=message.replace("?", r"\?")):
        declare(made, to(channel))


def test_channels_are_declared_as_they_were_exported(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    full = OPS | {"digest": 480, "quiet_hours": "22:00-07:00", "severities": ["critical"]}
    pager = {"name": "pager", "kind": "command", "command": ["/bin/page", "--loud"]}
    report = {"every": "week", "weekday": "friday", "at": "07:30", "channels": ["mail"]}
    rules = {"cost_anomaly": {"least": 50, "enabled": False}}
    sections = to(full, MAIL, pager, report=report, rules=rules, time_zone="Asia/Kolkata")
    declare(made, sections)
    exported = tmp_path / "export.yaml"
    exported.write_text(made.finops("tenant", "export").stdout)
    before = made.installation.registry.tenant("acme").alerts
    (made.data / "registry.sqlite").unlink()
    made.finops("restore-registry", "--from", str(exported))
    assert made.installation.registry.tenant("acme").alerts == before
    assert str(before.channels[0].digest) == "08:00:00"
    lines = made.finops("apply", str(made.data.parent / "tenants.yaml")).stdout
    assert "nothing changed" in lines
