"""Findings of waste: listing, explaining and deciding on them.

Put here: one function per use case. Keep out: rules (marts/waste_rules), storing decisions
(ledger/waste_decisions.py), what they change (marts/waste), commands (cli).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from finops_pipeline import clock
from finops_pipeline.application.ingest import refresh_warehouse
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Step
from finops_pipeline.contracts.waste_tables import SAVINGS_REALISED, WASTE_FINDINGS
from finops_pipeline.errors import RegistryError, Unknown, did_you_mean
from finops_pipeline.lake.duck import Connection, DuckDBError, fetch_dicts
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.waste_decisions import (
    WasteDecision,
    last_decisions,
    read_decisions,
    record_decision,
)
from finops_pipeline.marts.waste_rules_library import WasteRule, waste_rules


class WasteStatus(StrEnum):
    """What a team decided about a finding."""

    OPEN = "open"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in progress"
    DISMISSED = "dismissed"
    DONE = "done"


@dataclass(frozen=True)
class WasteSelection:
    """Which findings to list; empty: all."""

    project: str = ""
    rule: str = ""
    state: str = ""


@dataclass(frozen=True)
class ListedFinding:
    """A finding in a list; the names and meanings are those of `waste_findings`."""

    finding_id: str
    project: str
    resource_id: str | None
    finding: str
    state: str
    status: str
    cost: Decimal
    monthly_saving: Decimal | None
    counted_saving: Decimal
    billing_currency: str
    confidence: str
    reason: str | None


@dataclass(frozen=True)
class WasteExplanation:
    """A finding with all its columns, its rule, and what it has saved so far, by month."""

    finding: dict[str, Any]
    rule: WasteRule
    realised: list[dict[str, Any]]


@dataclass(frozen=True)
class WasteChoice:
    """A decision that somebody makes on a finding."""

    finding_id: str
    status: WasteStatus
    reason: str = ""
    day: date | None = None


def list_findings(
    installation: Installation, tenant: str, selection: WasteSelection
) -> list[ListedFinding]:
    """List the findings of a tenant, the largest savings first.

    Raises:
        Unknown: there is no such tenant, project or rule, or nothing has been built for it yet.
    """
    declared = installation.registry.tenant(tenant)
    if selection.project:
        declared.project(selection.project)
    if selection.rule:
        _find_rule(selection.rule)
    names = [field.name for field in fields(ListedFinding)]
    with reading(installation.folder(declared.name)) as connection:
        rows = _query(
            connection,
            declared.name,
            f"select {', '.join(names)} from {WASTE_FINDINGS.name}"
            " where ($project = '' or project = $project) and ($rule = '' or rule = $rule)"
            " and ($state = '' or state = $state)"
            " order by billing_currency, counted_saving desc, cost desc, finding_id",
            vars(selection),
        )
    return [ListedFinding(**row) for row in rows]


def explain_finding(installation: Installation, tenant: str, finding_id: str) -> WasteExplanation:
    """Explain a finding: its evidence, its rule, and its savings so far.

    Raises:
        Unknown: there is no such tenant or finding, or nothing has been built for it yet.
    """
    name = installation.registry.tenant(tenant).name
    folder = installation.folder(name)
    finding = _find(folder, open_ledger(folder), finding_id)
    with reading(folder) as connection:
        realised = _query(
            connection,
            name,
            f"from {SAVINGS_REALISED.name} where finding_id = $id order by billing_period",
            {"id": finding_id},
        )
    return WasteExplanation(finding, _find_rule(finding["rule"]), realised)


def decide(installation: Installation, tenant: str, choice: WasteChoice) -> WasteDecision:
    """Record a decision on a finding, and show it in the tenant's file.

    Raises:
        Unknown: there is no such tenant or finding, or nothing has been built for it yet.
        RegistryError: the decision is not valid.
        TenantBusy: another process is writing this tenant.
    """
    name = installation.registry.tenant(tenant).name
    _check_choice(name, choice)
    with installation.writing(name) as session:
        folder, ledger = session.writer.folder, session.writer.ledger
        finding = _find(folder, ledger, choice.finding_id)
        decision = WasteDecision(
            choice.finding_id,
            choice.status.value,
            choice.reason.strip(),
            until=_day_if(choice, WasteStatus.DISMISSED),
            decided_at=clock.now().isoformat(timespec="seconds"),
            done_on=None,
            finding=json.dumps({k: _as_text(v) for k, v in finding.items()}),
            baseline="{}",
        )
        if choice.status is WasteStatus.DONE:
            decision = _finished(folder, decision, finding, choice.day or clock.now().date())
        ledger.write(record_decision(decision))
        steps: list[Step] = []
        with session.writer.publication() as publication:
            refresh_warehouse(session, publication, steps.append)
    failed = [step.reason for step in steps if step.has_failed]
    if failed:
        raise RegistryError(
            f"the decision is recorded, but the file of tenant {name} could not be refreshed:"
            f" {failed[0]}",
            "a file that agrees with the charges",
            f"See its state: finops status {name}",
        )
    return decision


def _check_choice(tenant: str, choice: WasteChoice) -> None:
    if choice.status is WasteStatus.DISMISSED and not choice.reason.strip():
        raise RegistryError(
            f"finding {choice.finding_id} can be dismissed only with a reason",
            "the reason, which the list of findings shows",
            f"Type: finops waste dismiss {tenant} {choice.finding_id} --reason TEXT",
        )
    today = clock.now().date()
    if choice.status is WasteStatus.DONE and choice.day and choice.day > today:
        raise RegistryError(
            f"{choice.day} is after today, {today}", "the day on which the change was finished"
        )


def _day_if(choice: WasteChoice, status: WasteStatus) -> str | None:
    return choice.day.isoformat() if choice.day and choice.status is status else None


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


def _finished(
    folder: TenantFolder, decision: WasteDecision, finding: dict[str, Any], day: date
) -> WasteDecision:
    """Add the day of the change, and what the resource used and cost in 30 days before it."""
    unit = _find_rule(finding["rule"]).normalised_by
    unit = "" if unit == "days" else unit
    if finding["resource_id"] is None:
        raise RegistryError(
            f"finding {decision.finding_id} names no resource", "a finding about a resource"
        )
    keys = ("source", "sub_account_id", "service_code", "resource_id", "billing_currency")
    with reading(folder) as connection:
        (row,) = _query(
            connection,
            folder.tenant,
            _BASELINE,
            {name: finding[name] for name in (*keys, "project")} | {"unit": unit, "day": day},
        )
    if row["cost"] is None:
        raise RegistryError(
            f"the bill has no usage of {finding['resource_id']} in 30 days before {day}",
            "a day shortly after the resource was used",
            f"Type: finops waste finish {folder.tenant} {decision.finding_id} --on YYYY-MM-DD",
        )
    baseline = {"unit": unit or None} | {name: str(amount) for name, amount in row.items()}
    return replace(decision, done_on=day.isoformat(), baseline=json.dumps(baseline))


_BASELINE = """
with newest as (
    select least($day::date - 1, max(window_end)) as last_day
    from recent_usage
    where source = $source
),
used as (
    select *, min(charge_date) over () as first_day
    from resource_daily_costs, newest
    where source = $source
        and project = $project
        and sub_account_id is not distinct from $sub_account_id
        and service_code is not distinct from $service_code
        and resource_id = $resource_id
        and billing_currency = $billing_currency
        and charge_date <= last_day
        and charge_category = 'Usage' and charge_class is null and row_kind = 'line'
        and charge_group in ('usage', 'commitments')
)
select
    sum(effective_cost) as cost,
    coalesce(sum(consumed_quantity) filter (consumed_unit = $unit), 0)::decimal(38, 18) as quantity,
    -- what is priced by the month: its cost, and each day's cost times the days of its month
    coalesce(sum(effective_cost) filter (consumed_unit ilike '%-month%'), 0)::decimal(38, 18)
        as monthly_cost,
    coalesce(
        sum(effective_cost * day(last_day(charge_date))) filter (consumed_unit ilike '%-month%'), 0
    )::decimal(38, 18) as month_cost_by_days,
    -- a resource that is younger has not been used for 30 days
    least(any_value(last_day - first_day) + 1, 30) as days
from used
where charge_date > last_day - 30
"""


def _find_rule(rule: str) -> WasteRule:
    by_id = {known.rule: known for known in waste_rules()}
    if rule not in by_id:
        raise Unknown(
            f"rule {rule} is not known",
            f"one of: {', '.join(by_id)}",
            did_you_mean(rule, by_id).strip(),
        )
    return by_id[rule]


def _find(folder: TenantFolder, ledger: Ledger, finding_id: str) -> dict[str, Any]:
    """Return a finding from the file, or as it was when the last decision on it was made."""
    with reading(folder) as connection:
        rows = _query(
            connection,
            folder.tenant,
            f"from {WASTE_FINDINGS.name} where finding_id = $id",
            {"id": finding_id},
        )
    if rows:
        return rows[0]
    for decision in last_decisions(read_decisions(ledger)):
        if decision.finding_id == finding_id:
            found: dict[str, Any] = json.loads(decision.finding)
            return {**found, "status": decision.status, "status_reason": decision.reason or None}
    raise Unknown(
        f"tenant {folder.tenant} has no finding {finding_id}",
        "the id of a finding",
        f"List them: finops waste list {folder.tenant}",
    )


def _query(
    connection: Connection, tenant: str, sql: str, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    try:
        return fetch_dicts(connection.execute(sql, parameters))
    except DuckDBError as error:
        if "does not exist" not in str(error):
            raise
        raise Unknown(
            f"the file of tenant {tenant} was built by an earlier version and has no findings",
            "a file built by this version",
            f"Bring it up to date: finops ingest {tenant}",
        ) from error
