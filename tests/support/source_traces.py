"""What people are told and decide about a source, as a ledger has it.

Put here: planting these records. Keep out: alerts that rules make (alerted_tenants.py).
"""

from __future__ import annotations

import json

from finops_pipeline.ledger.alert_records import (
    AlertMessage,
    AlertRecord,
    record_alerts,
    record_messages,
)
from finops_pipeline.ledger.waste_decisions import WasteDecision, record_decision
from tests.conftest import TemporaryInstallation


def plant_traces(made: TemporaryInstallation, source: str) -> None:
    """Record an alert about a source, its message, and a decision on its waste."""
    at, summary = "2026-11-28T12:00:00+00:00", f"Nothing has landed from source {source} yet."
    alert = AlertRecord(f"a-{source}", "late_delivery", source, "warning", f"source {source}", "",
                        summary, None, None, "", "", "open", at, at)  # fmt: skip
    message = AlertMessage(f"a-{source}", "opened", "ops", "warning", f"source {source}", summary,
                           "", at, "sent", at)  # fmt: skip
    finding = json.dumps({"source": source})
    decision = WasteDecision(f"w-{source}", "accepted", "", None, at, None, finding, "{}")
    with made.installation.writing("acme") as session:
        session.writer.ledger.write(
            record_alerts([alert]), record_messages([message]), record_decision(decision)
        )
