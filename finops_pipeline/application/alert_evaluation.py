"""What the rules of alerts find for a tenant now.

Put here: what rules are given, and alerts about what keeps them from knowing. Keep out: the rules
(marts/alert_rules), what becomes of an alert (alert_changes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from finops_pipeline import clock
from finops_pipeline.application.alert_times import PARTIAL, count_failures
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Stage, Step
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.errors import (
    DamagedFile,
    ForeignFile,
    SchemaTooNew,
    counted,
    did_you_mean,
)
from finops_pipeline.lake.rule_reading import reading_for_rules
from finops_pipeline.ledger.alert_records import SENDING, AlertDelivery
from finops_pipeline.marts.alert_findings import (
    FoundAlert,
    RuleInputs,
    RuleResults,
    broken_rule,
    run_alert_rules,
    unread_rules,
)
from finops_pipeline.marts.alert_rules_library import SYSTEM_RULES, AlertRule, list_alert_rules
from finops_pipeline.tenants.alert_channels import Severity
from finops_pipeline.tenants.model import Tenant

_UNREADABLE, _UNDELIVERED = "unreadable_file", "undelivered_messages"
_FAILED_RUN = "failed_run"


@dataclass(frozen=True)
class Evaluation:
    """What rules found, and the rules that exist and are enabled, whether they ran or not.

    `present_rules`: None: not known, because the folder of own rules cannot be read.
    """

    results: RuleResults
    present_rules: frozenset[str] | None


def evaluate_rules(installation: Installation, tenant: Tenant) -> Evaluation:
    """Run the rules of the installation on a tenant's own file and ledger.

    Raises:
        FinopsError: the tenant's ledger cannot be read.
    """
    settings = installation.settings
    listed = list_alert_rules(settings.alert_rules)
    enabled = [rule for rule in listed.rules if _is_enabled(tenant, rule)]
    month = clock.this_month()
    inputs = RuleInputs(
        day=clock.now().date(),
        statuses=installation.status(tenant.name),
        sources=sorted(
            source.name
            for source in tenant.sources
            if source.is_bill and source.is_active and source.location and source.covers(month)
        ),
        choices=tenant.alerts.rules,
    )
    limits = replace(installation.limits, seconds=settings.query_seconds)
    system = [*unread_rules(listed.unread), *_unknown_rules(tenant, listed.names)]
    judged = {"broken_rule"}
    try:
        with reading_for_rules(installation.folder(tenant.name), TABLES) as connection:
            results = run_alert_rules(connection, enabled, inputs, limits)
        judged.add(_UNREADABLE)
    except (DamagedFile, ForeignFile, SchemaTooNew) as error:
        results = RuleResults((), frozenset())
        system.append(_unreadable(tenant.name, str(error)))
        judged.discard("broken_rule")
    names = {*(r.name for r in enabled), *(r.name for r in listed.unread), *SYSTEM_RULES}
    present = frozenset(names) if listed.is_complete else None
    alerts = (*results.alerts, *system)
    return Evaluation(RuleResults(alerts, results.judged | judged), present)


def _is_enabled(tenant: Tenant, rule: AlertRule) -> bool:
    choice = tenant.alerts.rules.get(rule.name)
    return choice is None or choice.enabled


def _unknown_rules(tenant: Tenant, known: Sequence[str]) -> list[FoundAlert]:
    """Return alerts about rules that the tenant changes, but that do not exist."""
    return [
        broken_rule(
            name,
            f"alerts.rules changes it, but there is no such rule. {did_you_mean(name, known)}"
            f"The rules are: {', '.join(known)}.",
        )
        for name in tenant.alerts.rules
        if name not in known
    ]


def _unreadable(tenant: str, reason: str) -> FoundAlert:
    return FoundAlert(
        _UNREADABLE,
        "file",
        Severity.CRITICAL,
        "the tenant's file",
        "",
        f"The file of tenant {tenant} could not be read, so no rule could be run: {reason}",
        None,
        None,
        "",
        f"Build it again: finops rebuild {tenant}",
    )


def with_failed_steps(
    evaluation: Evaluation, tenant: str, steps: Sequence[Step] | None
) -> Evaluation:
    """Add an alert for each step of the newest run that failed, such as a check that refuses.

    Args:
        steps: None: no run has ended, so that what failed before is still open. Months whose
            delivery was refused are left out: the ledger knows them (rule failed_delivery).
    """
    if steps is None:
        return evaluation
    failed = [
        step
        for step in steps
        if step.has_failed and not (step.stage is Stage.LANDING and step.month)
    ]
    alerts = [_failed_run(tenant, step) for step in failed]
    results = evaluation.results
    return replace(
        evaluation,
        results=RuleResults((*results.alerts, *alerts), results.judged | {_FAILED_RUN}),
    )


def _failed_run(tenant: str, step: Step) -> FoundAlert:
    place = f"{step.subject} {step.month}".rstrip()
    return FoundAlert(
        _FAILED_RUN,
        f"{step.stage}/{step.subject}/{step.month}",
        Severity.CRITICAL,
        f"{step.stage} of {place}",
        step.month,
        f"The step {step.stage} of {place} failed, so earlier tables stay published: {step.reason}",
        None,
        None,
        "",
        f"Correct the cause, and run it again: finops ingest {tenant}",
    )


def with_failed_channels(
    evaluation: Evaluation, tenant: Tenant, deliveries: Sequence[AlertDelivery]
) -> Evaluation:
    """Add an alert for each channel whose last deliveries failed; other channels can tell of it."""
    failed = []
    for channel in tenant.alerts.channels:
        own = [d for d in deliveries if d.channel == channel.name and d.outcome != SENDING]
        failures = count_failures(channel.name, own)
        place = f"{tenant.name} {channel.name}"
        if failures:
            times = counted(failures, "delivery has", "deliveries have")
            text = f"{times} failed over channel {channel.name}, so its messages wait"
            failed.append(_undelivered(place, f"{text}: {own[-1].reason}"))
        elif own and own[-1].outcome == PARTIAL:
            text = f"Not every recipient of channel {channel.name} has its newest message"
            failed.append(_undelivered(place, f"{text}: {own[-1].reason}"))
    results = evaluation.results
    return replace(
        evaluation,
        results=RuleResults((*results.alerts, *failed), results.judged | {_UNDELIVERED}),
    )


def _undelivered(place: str, summary: str) -> FoundAlert:
    channel = place.partition(" ")[2]
    return FoundAlert(
        _UNDELIVERED,
        channel,
        Severity.WARNING,
        f"channel {channel}",
        "",
        summary,
        None,
        None,
        "",
        f"Correct the cause, and test it: finops alerts test {place}",
    )
