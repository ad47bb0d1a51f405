"""Receivers of messages that fail: refusing, hanging, redirecting; nothing is lost.

Put here: webhooks, mail servers and commands that fail, and what may not be called. Keep out: what
receivers are sent when all is well (test_alert_delivery.py).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.alerts import (
    list_alerts,
    read_history,
    try_channels,
)
from finops_pipeline.channels import sending
from tests.conftest import TemporaryInstallation
from tests.support.alerted_tenants import (
    MAIL,
    MARKERS,
    OPS,
    alerted,
    box,
    hook,
    preserved_alerts,
    run_rules,
    set_time,
    to,
    use_mailbox,
)
from tests.support.message_receivers import (
    Mailbox,
    Webhook,
    mailbox,
    make_certificate,
    webhook,
)
from tests.support.watched_tenants import declare

__all__ = ["alerted", "box", "hook", "preserved_alerts"]


@pytest.mark.parametrize(
    ("fault", "attempts", "reason"),
    [
        ({"answers": [500] * 3}, 3, "answered 500"),
        ({"answers": [429, 503, 500]}, 3, "answered 500"),
        ({"answers": [404]}, 1, "answered 404"),
        ({"answers": [302], "location": "http://127.0.0.1:1/latest/meta-data"}, 1, "a redirect"),
        ({"is_hanging": True}, 1, "did not answer within 1 s"),
    ],
)
def test_a_webhook_that_fails_is_reported_and_nothing_is_lost(
    alerted: TemporaryInstallation,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    attempts: int,
    reason: str,
) -> None:
    declare(alerted, to(OPS))
    for name, value in fault.items():
        setattr(hook, name, value)
    begin = clock.stopwatch()
    (failure,) = run_rules(alerted).failures
    assert clock.stopwatch() - begin < 15
    assert (failure.attempts, reason in failure.reason) == (attempts, True), failure
    assert len(hook.received) == attempts  # no redirect was followed
    assert not run_rules(alerted).deliveries  # it is left alone for a minute
    hook.answers, hook.location, hook.is_hanging = [], "", False
    assert [a.rule for a in list_alerts(alerted.installation, "acme")][1:] == [
        "undelivered_messages"
    ]
    set_time(monkeypatch, "2026-11-28T12:32")
    (sent,) = run_rules(alerted).deliveries
    assert sent.outcome == "sent" and MARKERS["acme"] in hook.texts("/acme")[-1]
    assert [change.event for change in run_rules(alerted).changes] == ["recovered"]
    history = alerted.finops("alerts", "history", "acme", "--format", "json").stdout
    assert [row["outcome"] for row in json.loads(history)] == ["failed", "sent"]


def test_a_webhook_is_tried_again_at_once(alerted: TemporaryInstallation, hook: Webhook) -> None:
    declare(alerted, to(OPS))
    hook.answers = [500, 503]
    (sent,) = run_rules(alerted).deliveries
    assert (sent.outcome, sent.attempts) == ("sent", 3)


def test_a_message_outlives_the_process_that_sends_it(
    alerted: TemporaryInstallation, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(OPS))
    hook.is_hanging = True
    monkeypatch.setenv("FINOPS_CHANNEL_SECONDS", "60")
    command = [sys.executable, "-m", "finops_pipeline.cli", "alerts", "send", "acme"]
    process = subprocess.Popen(command)
    for _ in range(600):
        if hook.received:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert len(hook.received) == 1
    hook.is_hanging = False
    (waiting,) = read_history(alerted.installation, "acme").waiting
    claimed = datetime.fromisoformat(waiting.changed_at)
    set_time(monkeypatch, f"{claimed + timedelta(minutes=14):%Y-%m-%dT%H:%M}")
    assert not run_rules(alerted).deliveries  # perhaps the other process is still sending
    set_time(monkeypatch, f"{claimed + timedelta(minutes=17):%Y-%m-%dT%H:%M}")
    assert [sent.outcome for sent in run_rules(alerted).deliveries] == ["sent"]
    assert not read_history(alerted.installation, "acme").waiting


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
    alerted: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("FINOPS_SECRET__ACME__SLACK", url)
    declare(alerted, to(OPS))
    (result,) = try_channels(alerted.installation, "acme")
    assert (result.outcome, reason in result.reason) == ("failed", True), result.reason
    assert "meta-data" not in result.reason and "word" not in result.reason


def test_a_webhook_needs_a_certificate_for_its_name(
    alerted: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes to the address that was checked, and yet proves the name."""
    declare(alerted, to(OPS))
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with webhook(certificate) as hook:
        places = (hook.place, f"localhost:{hook.port}")
        monkeypatch.setenv("FINOPS_WEBHOOK_HOSTS", " ".join(places))
        outcomes = []
        for place in places:
            monkeypatch.setenv("FINOPS_SECRET__ACME__SLACK", f"https://{place}/acme?key=s3cret")
            outcomes += try_channels(alerted.installation, "acme")
        sent, refused = outcomes
        assert (sent.outcome, len(hook.received)) == ("sent", 1)
        assert hook.received[0][0] == "/acme?key=s3cret"
        assert "not valid for it" in refused.reason and "s3cret" not in refused.reason
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("FINOPS_SECRET__ACME__SLACK", f"https://{hook.place}/acme")
        (refused,) = try_channels(alerted.installation, "acme")
        assert "not valid for it" in refused.reason and len(hook.received) == 1


def test_a_channel_that_fails_does_not_stop_the_rest(
    alerted: TemporaryInstallation, hook: Webhook, box: Mailbox
) -> None:
    declare(alerted, to(MAIL, OPS))
    box.refusal = "554 no"
    outcomes = {delivery.channel: delivery.outcome for delivery in run_rules(alerted).deliveries}
    assert outcomes == {"mail": "failed", "ops": "sent"}
    run_rules(alerted)
    assert "failed over channel mail" in hook.texts("/acme")[1]
    box.refusal = "451 later"
    done = alerted.finops("alerts", "test", "acme", "mail", ok=False)
    assert "answered 451" in done.stderr
    waiting = read_history(alerted.installation, "acme").waiting
    assert [message.channel for message in waiting] == ["mail"]


def test_a_recipient_who_is_refused_is_reported_and_nobody_is_sent_a_mail_twice(
    alerted: TemporaryInstallation, hook: Webhook, box: Mailbox
) -> None:
    declare(alerted, to(MAIL, OPS))
    box.refused = {"cfo@acme.example": "550 nobody"}
    (partial,) = run_rules(alerted).failures
    assert (partial.outcome, partial.attempts) == ("partial", 1)
    assert partial.reason == "the mail server refused 1 recipient: cfo@acme.example (550)"
    assert [mail["X-Recipients"] for mail in box.mails] == ["finance@acme.example"]
    assert not read_history(alerted.installation, "acme").waiting
    run_rules(alerted)
    assert len(box.mails) == 1
    assert "Not every recipient of channel mail" in hook.texts("/acme")[1]
    done = alerted.finops("alerts", "test", "acme", "mail", ok=False)
    assert "cfo@acme.example (550)" in done.stderr
    box.refused = {}
    assert "channel mail: sent" in alerted.finops("alerts", "test", "acme", "mail").stdout
    assert [change.event for change in run_rules(alerted).changes] == ["recovered"]


def test_a_defect_in_a_channel_does_not_stop_the_rest(
    alerted: TemporaryInstallation,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "s3cret"

    def defect(*_: object) -> None:
        raise KeyError(secret)

    declare(alerted, to(OPS, MAIL, {"name": "late", "kind": "slack", "secret": "slack"}))
    monkeypatch.setattr(sending, "send_mail", defect)
    run = run_rules(alerted)
    assert [(d.channel, d.outcome) for d in run.deliveries] == [
        *(("ops", "sent"), ("mail", "failed"), ("late", "sent"))
    ]
    (failure,) = run.failures
    assert "KeyError" in failure.reason and failure.attempts == 1
    assert "Traceback" in caplog.text and "channel mail of tenant acme" in caplog.text
    assert secret not in caplog.text + failure.reason
    run_rules(alerted)
    texts = hook.texts("/acme")
    assert ["failed over channel mail" in text for text in texts] == [False, False, True, True]


def test_each_outcome_is_recorded_before_the_next_channel_is_sent_anything(
    alerted: TemporaryInstallation,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is interrupted in one channel does not send again over those before it."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    declare(alerted, to(OPS, MAIL))
    monkeypatch.setattr(sending, "send_mail", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_rules(alerted)
    history = read_history(alerted.installation, "acme")
    assert [(d.channel, d.outcome) for d in history.deliveries] == [("ops", "sent")]
    assert [message.channel for message in history.waiting] == ["mail"]


def test_a_password_that_no_mail_server_can_read_is_refused(
    alerted: TemporaryInstallation, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(MAIL))
    monkeypatch.setenv("FINOPS_SMTP_USER", "finops")
    monkeypatch.setenv("FINOPS_SMTP_PASSWORD", "geheimnü")
    (refused,) = try_channels(alerted.installation, "acme")
    assert "FINOPS_SMTP_PASSWORD has a character that is not ASCII" in refused.reason
    assert "geheim" not in refused.reason and not box.mails


def test_mail_is_sent_with_starttls_and_a_password(
    alerted: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(MAIL))
    with mailbox(tmp_path) as box:
        use_mailbox(monkeypatch, box, "starttls")
        monkeypatch.setenv("FINOPS_SMTP_USER", "finops")
        monkeypatch.setenv("FINOPS_SMTP_PASSWORD", "wrong")
        (refused,) = try_channels(alerted.installation, "acme")
        assert "a certificate that is not valid" in refused.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(box.certificate))
        (refused,) = try_channels(alerted.installation, "acme")
        assert "answered 535" in refused.reason and "wrong" not in refused.reason
        monkeypatch.setenv("FINOPS_SMTP_PASSWORD", "right-horse")
        (sent,) = try_channels(alerted.installation, "acme")
        assert (sent.outcome, box.users, len(box.mails)) == ("sent", ["finops"], 1)


def test_a_mail_server_that_never_speaks_is_left(
    alerted: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(MAIL))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_mailbox(monkeypatch, Mailbox(port=silent.getsockname()[1]), "none")
        begin = clock.stopwatch()
        (failure,) = try_channels(alerted.installation, "acme")
        assert failure.attempts == 1 and clock.stopwatch() - begin < 15
    (refused,) = try_channels(alerted.installation, "acme")
    assert "could not be reached (ConnectionRefusedError)" in refused.reason
    monkeypatch.delenv("FINOPS_SMTP_HOST")
    (refused,) = try_channels(alerted.installation, "acme")
    assert "FINOPS_SMTP_HOST" in refused.reason


def test_a_mail_that_took_too_long_is_not_delivered_later(
    alerted: TemporaryInstallation, box: Mailbox
) -> None:
    declare(alerted, to(MAIL))
    box.delay = 0.7  # for each of two recipients, with a limit of a second
    (failure,) = run_rules(alerted).failures
    assert (failure.attempts, "did not answer within 1 s" in failure.reason) == (1, True)
    time.sleep(1.5)
    assert not box.mails


def test_a_command_is_killed_when_it_hangs(alerted: TemporaryInstallation, tmp_path: Path) -> None:
    program = tmp_path / "hang"
    program.write_text(f"#!/bin/sh\nsleep 30 & echo $! > {tmp_path}/pid; wait\n")
    program.chmod(0o755)
    pager = {"name": "pager", "kind": "command", "command": [str(program)]}
    declare(alerted, to(pager, pager | {"name": "missing", "command": ["/nonexistent/page"]}))
    hung, missing = try_channels(alerted.installation, "acme")
    assert "did not end within 1 s" in hung.reason
    assert "cannot be started" in missing.reason
    pid = (tmp_path / "pid").read_text().strip()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
