"""Alerts reach people: whom, once, when, and in harmless words.

Put here: routing, de-duplication, snooze, recovery, digest, quiet hours, declaring channels. Keep
out: what the rules find (test_alert_rules.py), receivers that fail (test_alert_receivers.py).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.alerts import (
    Snooze,
    list_alerts,
    snooze_alert,
)
from finops_pipeline.errors import RegistryError
from tests.conftest import TemporaryInstallation
from tests.support.alerted_tenants import (
    HOSTILE,
    MAIL,
    MARKERS,
    OPS,
    alerted,
    box,
    hook,
    plant,
    preserved_alerts,
    run_rules,
    set_time,
    to,
)
from tests.support.message_receivers import Mailbox, Webhook
from tests.support.watched_tenants import TENANTS, declare

__all__ = ["alerted", "box", "hook", "preserved_alerts"]


def test_an_alert_is_sent_once_and_so_is_its_end(
    alerted: TemporaryInstallation, hook: Webhook
) -> None:
    declare(alerted, to(OPS))
    for tenant in TENANTS:
        first = run_rules(alerted, tenant)
        assert [change.event for change in first.changes] == ["opened"]
        assert not run_rules(alerted, tenant).changes
        (text,) = hook.texts(f"/{tenant}")
        assert MARKERS[tenant] in text and "What to do: Look at it." in text
    plant(alerted, "false")
    assert [change.event for change in run_rules(alerted).changes] == ["recovered"]
    assert "Alerts that have recovered" in hook.texts("/acme")[1]
    assert len(hook.texts("/globex")) == 1
    listed = json.loads(
        alerted.finops("alerts", "list", "acme", "--all", "--format", "json").stdout
    )
    assert [(row["rule"], row["state"]) for row in listed] == [("costly", "recovered")]


def test_no_message_has_a_word_of_another_tenant(
    alerted: TemporaryInstallation, hook: Webhook, box: Mailbox, tmp_path: Path
) -> None:
    """Over every kind of channel, though both tenants are told in the same minute."""
    program = tmp_path / "receive"
    program.write_text(f"#!/bin/sh\ncat >> {tmp_path}/$1.json; env >> {tmp_path}/$1.json\n")
    program.chmod(0o755)
    declare(
        alerted,
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
    assert alerted.finops("alerts", "send").returncode == 0
    assert len(box.mails) == 4
    for tenant, other in (TENANTS, TENANTS[::-1]):
        mails = [mail for mail in box.mails if mail["X-Recipients"] == f"a@{tenant}.example"]
        content = (tmp_path / f"{tenant}.json").read_text()
        contents = str([*hook.texts(f"/{tenant}"), *map(str, mails), content]).lower()
        assert contents.count(MARKERS[tenant]) >= 4
        assert MARKERS[other] not in contents and other not in contents.replace(str(tmp_path), "")
        assert "FINOPS_" not in content


def test_names_of_a_bill_are_no_markup(
    alerted: TemporaryInstallation, hook: Webhook, box: Mailbox
) -> None:
    declare(alerted, to(OPS, MAIL))
    run_rules(alerted)
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
    alerted: TemporaryInstallation,
    hook: Webhook,
    box: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet = {"quiet_hours": "22:00-07:00", "severities": ["critical", "warning"]}
    declare(alerted, to(OPS | quiet, MAIL | {"severities": ["info"]}, time_zone="America/New_York"))
    set_time(monkeypatch, "2026-11-29T04:30")  # half past eleven at night in New York
    run_rules(alerted)
    assert not hook.received
    plant(alerted, severity="critical")
    assert [change.event for change in run_rules(alerted).changes] == ["worse"]
    assert "Alerts that got worse" in hook.texts("/acme")[0]
    set_time(monkeypatch, "2026-11-29T11:59")
    run_rules(alerted)
    assert len(hook.received) == 1
    set_time(monkeypatch, "2026-11-29T12:00")
    run_rules(alerted)
    assert "New alerts" in hook.texts("/acme")[1]
    assert not box.mails


def test_a_digest_is_sent_once_a_day(
    alerted: TemporaryInstallation, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(OPS | {"digest": "08:00"}, time_zone="Europe/Berlin"))
    run_rules(alerted)
    plant(alerted, "false")
    run_rules(alerted)
    set_time(monkeypatch, "2026-11-29T06:59")
    run_rules(alerted)
    assert not hook.received
    set_time(monkeypatch, "2026-11-29T07:00")
    run_rules(alerted)
    (text,) = hook.texts("/acme")
    assert "digest: 1 alert, 1 recovered" in text
    assert run_rules(alerted).deliveries == ()


def test_a_snoozed_alert_is_silent_until_its_time(
    alerted: TemporaryInstallation, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(OPS))
    (alert,) = run_rules(alerted).open_alerts
    alerted.finops("alerts", "snooze", "acme", alert.alert_id, "--days", "1", "--reason", "known")
    assert alert.alert_id in alerted.finops("alerts", "list", "acme").stdout
    assert list_alerts(alerted.installation, "acme")[0].snooze_reason == "known"
    until = datetime.fromisoformat("2026-11-28T18:00:00+00:00")
    alerted.finops("alerts", "wake", "acme", alert.alert_id)
    assert list_alerts(alerted.installation, "acme")[0].snooze_reason == ""
    changed = snooze_alert(alerted.installation, "acme", alert.alert_id, Snooze(until, "known"))
    assert changed.snooze_reason == "known"
    plant(alerted, severity="critical")
    assert not run_rules(alerted).changes
    with pytest.raises(RegistryError, match="has passed already"):
        past = Snooze(datetime.fromisoformat("2026-11-28T12:00:00+00:00"))
        snooze_alert(alerted.installation, "acme", alert.alert_id, past)
    set_time(monkeypatch, "2026-11-28T18:00")
    assert [change.event for change in run_rules(alerted).changes] == ["still open"]
    assert len(hook.texts("/acme")) == 2
    assert not run_rules(alerted).changes
    done = alerted.finops("alerts", "snooze", "globex", alert.alert_id, ok=False)
    assert "tenant globex has no alert" in done.stderr


def test_changes_in_a_snooze_are_sent_when_it_is_ended(
    alerted: TemporaryInstallation, hook: Webhook
) -> None:
    declare(alerted, to(OPS))
    for tenant in TENANTS:
        run_rules(alerted, tenant)
    (alert,) = list_alerts(alerted.installation, "acme")
    until = datetime.fromisoformat("2026-11-29T00:00:00+00:00")
    snooze_alert(alerted.installation, "acme", alert.alert_id, Snooze(until))
    plant(alerted, "false")
    assert not run_rules(alerted).changes  # it recovers, and opens again, worse
    assert not run_rules(alerted).open_alerts
    plant(alerted, severity="critical")
    assert not run_rules(alerted).changes
    snooze_alert(alerted.installation, "acme", alert.alert_id, Snooze(None))
    assert [change.event for change in run_rules(alerted).changes] == ["still open"]
    assert not run_rules(alerted).changes
    snooze_alert(alerted.installation, "acme", alert.alert_id, Snooze(None))
    assert not run_rules(alerted).changes  # it was not snoozed
    assert len(hook.texts("/acme")) == 2
    assert [change.event for change in run_rules(alerted, "globex").changes] == ["worse"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a URL": ({"secret": "https://hooks.example/x"}, "is a URL"),
    "two hyphens": ({"secret": "a--b"}, "alerts.channels.ops.secret is 'a--b'"),
    "no secret": ({"secret": None}, "alerts.channels.ops.secret is missing"),
    "kind": ({"kind": "slak"}, "Did you mean slack?"),
    "other kind's": ({"to": ["a@b.example"]}, "a channel of kind slack has no such field"),
    "hour": ({"digest": 8}, 'in quotes from "00:00" to "23:59", such as "08:00"'),
    "time": ({"digest": "8:00"}, "a time of day"),
    "hours": ({"quiet_hours": "22:00"}, "two times of day"),
    "severity": ({"severities": ["crit"]}, "Did you mean critical?"),
    "command": ({"kind": "command", "secret": None, "command": ["page"]}, "the absolute path"),
    "two dots": ({"kind": "email", "secret": None, "to": ["a..b@c.example"]}, "an e-mail address"),
    "header": ({"kind": "email", "secret": None, "to": ["a@b.example\nBcc: c@d.example"]}, "is '"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_channel_that_cannot_work_is_refused(alerted: TemporaryInstallation, case: str) -> None:
    fields, message = WRONG[case]
    channel = {name: value for name, value in (OPS | fields).items() if value is not None}
    with pytest.raises(RegistryError, match=message.replace("?", r"\?")):
        declare(alerted, to(channel))


def test_channels_are_declared_as_they_were_exported(
    alerted: TemporaryInstallation, tmp_path: Path
) -> None:
    full = OPS | {"digest": 480, "quiet_hours": "22:00-07:00", "severities": ["critical"]}
    pager = {"name": "pager", "kind": "command", "command": ["/bin/page", "--loud"]}
    report = {"every": "week", "weekday": "friday", "at": "07:30", "channels": ["mail"]}
    rules = {"cost_anomaly": {"least": 50, "enabled": False}}
    sections = to(full, MAIL, pager, report=report, rules=rules, time_zone="Asia/Kolkata")
    declare(alerted, sections)
    exported = tmp_path / "export.yaml"
    exported.write_text(alerted.finops("tenant", "export").stdout)
    before = alerted.installation.registry.tenant("acme").alerts
    (alerted.data / "registry.sqlite").unlink()
    alerted.finops("restore-registry", "--from", str(exported))
    assert alerted.installation.registry.tenant("acme").alerts == before
    assert str(before.channels[0].digest) == "08:00:00"
    lines = alerted.finops("apply", str(alerted.data.parent / "tenants.yaml")).stdout
    assert "nothing changed" in lines
