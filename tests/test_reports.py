"""Reports, and alerts that outlive a rebuild, a restore and a lost ledger, but no purge.

Put here: what a report says and when it is sent; where the state of alerts is. Keep out: alerts
themselves (test_alert_delivery.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.alerts import list_alerts, read_history
from finops_pipeline.application.report import send_due_report
from finops_pipeline.channels import sending
from finops_pipeline.ledger.alert_records import AlertDelivery
from tests.conftest import TemporaryInstallation
from tests.support.alerted_tenants import (
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
from tests.support.watched_tenants import DEV, TENANTS, bill, declare, use

__all__ = ["alerted", "box", "hook", "preserved_alerts"]

WEEKLY = {"every": "week", "weekday": "monday", "at": "08:00", "channels": ["mail"]}


def test_a_report_compares_complete_days_with_the_week_before(
    alerted: TemporaryInstallation,
) -> None:
    bill(
        alerted,
        "acme",
        [
            use("10", "2026-11-01", "2026-11-19"),
            use("16", "2026-11-20", "2026-11-27"),
            use("5", "2026-11-01", "2026-11-27", account=DEV, resource="", service="AmazonS3"),
        ],
    )
    (report,) = json.loads(
        alerted.finops("report", "acme", "--period", "week", "--format", "json").stdout,
        parse_float=Decimal,
        parse_int=Decimal,
    )
    assert (report["first_day"], report["last_day"]) == ("2026-11-20", "2026-11-26")
    costs = {row["project"]: (row["cost"], row["cost_before"]) for row in report["costs"]}
    assert costs == {"prod": (112, 70), "dev": (35, 35)}
    assert [row["project"] for row in report["movers"]] == ["prod"]
    text = alerted.finops("report", "acme").stdout
    assert "Acme <Inc> & Co. (acme): costs of 2026-11-26\n" in text
    assert "  all projects  21.00          15.00    6.00  USD\n" in text
    assert "  2026-11  payer   open\n" in text
    assert "No budget is declared, or none has a month yet." in text
    assert "2026-11-26" in alerted.finops("report", "globex").stdout
    other = alerted.finops("report", "globex", "--format", "json").stdout
    assert MARKERS["acme"] not in other and "acme" not in other


def test_a_report_is_mailed_once_when_it_is_due(
    alerted: TemporaryInstallation, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(alerted, to(MAIL, report=WEEKLY, time_zone="Europe/Berlin"))
    set_time(monkeypatch, "2026-11-30T06:59")  # a Monday, a minute before eight in Berlin
    for tenant in TENANTS:
        (sent,) = send_due_report(alerted.installation, tenant)  # last Monday's was never sent
        assert sent.outcome == "sent" and not send_due_report(alerted.installation, tenant)
    set_time(monkeypatch, "2026-11-30T07:00")
    box.refusal = "451 later"
    (failed,) = send_due_report(alerted.installation, "acme")
    assert (failed.kind, failed.outcome, failed.attempts) == ("report", "failed", 3)
    assert not send_due_report(alerted.installation, "acme")
    box.refusal = ""
    set_time(monkeypatch, "2026-11-30T07:02")
    assert [sent.outcome for sent in send_due_report(alerted.installation, "acme")] == ["sent"]
    mail = box.mails[-1]
    text, html = (part.get_content() for part in mail.iter_parts())
    assert str(mail["Subject"]).endswith("costs of 2026-11-20 to 2026-11-26")
    assert "<table" in html and "Can the months be trusted?" in text
    assert "mkglobex" not in str(mail)


def test_a_report_is_claimed_before_it_is_sent(
    alerted: TemporaryInstallation, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a run that overlaps nor one after a lost outcome sends it again at once."""
    declare(alerted, to(MAIL, report=WEEKLY))
    send_mail, overlapping = sending.send_mail, list[AlertDelivery]()

    def interrupted(*parts: Any) -> None:
        overlapping.extend(send_due_report(alerted.installation, "acme"))
        send_mail(*parts)
        raise KeyboardInterrupt

    monkeypatch.setattr(sending, "send_mail", interrupted)
    with pytest.raises(KeyboardInterrupt):
        send_due_report(alerted.installation, "acme")
    monkeypatch.setattr(sending, "send_mail", send_mail)
    assert not overlapping and not send_due_report(alerted.installation, "acme")
    assert len(box.mails) == 1
    assert [d.outcome for d in read_history(alerted.installation, "acme").deliveries] == ["sending"]
    set_time(monkeypatch, "2026-11-28T12:46")
    (sent,) = send_due_report(alerted.installation, "acme")
    deliveries = read_history(alerted.installation, "acme").deliveries
    assert [(d.channel, d.kind, d.outcome) for d in deliveries] == [
        *(("mail", "report", "failed"), ("mail", "report", "sent"))
    ]
    assert not list_alerts(alerted.installation, "globex") and sent.outcome == "sent"


def test_a_report_is_sent_on_request(alerted: TemporaryInstallation, box: Mailbox) -> None:
    assert "declares no report" in alerted.finops("report", "acme", "--send", ok=False).stderr
    declare(alerted, to(MAIL, report=WEEKLY))
    assert "channel mail: sent" in alerted.finops("report", "acme", "--send").stdout
    assert len(box.mails) == 1


def test_alerts_outlive_what_a_tenant_outlives(
    alerted: TemporaryInstallation, hook: Webhook, tmp_path: Path
) -> None:
    """State and history are in the ledger: nobody is told again after a rebuild or a restore."""
    declare(alerted, to(OPS))
    for tenant in TENANTS:
        run_rules(alerted, tenant)
    before = {tenant: list_alerts(alerted.installation, tenant) for tenant in TENANTS}
    alerted.finops("rebuild", "acme")
    alerted.finops("backup", "acme", str(tmp_path / "backup"))
    (alerted.folder("acme") / "ledger.sqlite").unlink()
    alerted.finops("rebuild", "acme")
    assert list_alerts(alerted.installation, "acme") == before["acme"]
    plant(alerted, "false")
    run_rules(alerted)
    alerted.finops("restore", str(tmp_path / "backup"), "acme", "--replace")
    assert list_alerts(alerted.installation, "acme") == before["acme"]
    assert [d.outcome for d in read_history(alerted.installation, "acme").deliveries] == ["sent"]
    plant(alerted)
    assert not run_rules(alerted).changes
    assert len(hook.texts("/acme")) == 2 and len(hook.texts("/globex")) == 1

    alerted.finops("tenant", "remove", "acme", "--yes", "acme")
    done = alerted.finops("alerts", "send", "acme", ok=False)
    assert "removed" in done.stderr
    alerted.finops("tenant", "purge", "acme", "--yes", "acme")
    left = [p for p in alerted.data.rglob("*") if p.is_file()]
    assert [p for p in left if MARKERS["acme"].encode() in p.read_bytes()] == []
    assert list_alerts(alerted.installation, "globex") == before["globex"]
