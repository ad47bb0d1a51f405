"""Listing rules of dimensions, trying them out before they are declared, and explaining them.

Put here: what `finops rules` does. Keep out: declaring rules (tenants/declare.py), applying them
(marts), formatting (cli/rule_commands.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.focus.claim_matching import ChargeValues, Match, match_claim
from finops_pipeline.marts.rule_explanation import ExplainedCharges, explain_charges
from finops_pipeline.marts.rule_trial import ValueChange, try_rules
from finops_pipeline.tenants.declare import merge, read_declaration
from finops_pipeline.tenants.model import FOLLOW, UNASSIGNED, Tenant


@dataclass(frozen=True)
class DeclaredRule:
    """A declared dimension with one of its rules, in the order in which the rules are tried.

    If the dimension has no rules, all other fields are None.
    """

    dimension: str
    position: int | None = None
    rule: str | None = None
    value: str | None = None
    conditions: str | None = None
    days: str | None = None
    rule_version: int | None = None
    declared_on: date | None = None


def list_rules(installation: Installation, name: str) -> list[DeclaredRule]:
    """List the dimensions that a tenant declares, with their rules.

    Raises:
        Unknown: there is no such tenant.
    """
    section = installation.registry.tenant(name).dimensions
    rows = []
    for dimension in section.names:
        rules = [rule for rule in section.rules_in_order if rule.dimension == dimension.name]
        rows += [
            DeclaredRule(
                *(dimension.name, position, rule.name, rule.given_value, rule.conditions_in_words),
                *(rule.days, rule.version, rule.declared_on),
            )
            for position, rule in enumerate(rules, 1)
        ] or [DeclaredRule(dimension.name)]
    return rows


def try_declaration(installation: Installation, name: str, file: Path) -> list[ValueChange]:
    """Compare the values that a changed tenants.yaml would give with the published ones.

    Nothing is declared or built.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
        RegistryError: the file breaks a rule, or does not declare this tenant.
    """
    stored = installation.registry.tenant(name)
    declared = [tenant for tenant in read_declaration(file) if tenant.name == name]
    if not declared:
        raise RegistryError(f"{file} does not declare tenant {name}", "a file that does")
    changed, _ = merge(stored, declared[0])
    return try_rules(installation.folder(name), changed, installation.limits)


@dataclass(frozen=True)
class Explanation:
    """Why charges are in their project, and why a dimension has its value, as text."""

    charges: ExplainedCharges
    claim: str
    reason: str


def explain(installation: Installation, name: str, id: str) -> list[Explanation]:
    """Explain the charges of a line item, a resource or a commitment.

    Raises:
        Unknown: there is no such tenant or charge, or nothing has been built for the tenant yet.
    """
    tenant = installation.registry.tenant(name)
    explained = explain_charges(installation.folder(name), id, installation.limits)
    if not explained:
        raise Unknown(
            f"tenant {name} has no charge with the line item, resource or commitment {id!r}",
            "a value of x_LineItemId, ResourceId, ResourceName or CommitmentDiscountId in costs",
            f'To list the resources: finops query {name} "select distinct ResourceId from costs"',
        )
    return [
        Explanation(charges, claim_of(tenant, charges), _reason_of(charges))
        for charges in explained
    ]


def claim_of(tenant: Tenant, charges: ExplainedCharges) -> str:
    """Describe the claim that puts charges into their project."""
    account = charges.sub_account_id
    if charges.project == UNASSIGNED:
        return f"no claim takes such charges of account {account}"
    values = ChargeValues(
        account,
        charges.first_day,
        charges.region_id,
        frozenset(filter(None, (charges.service_name, charges.service_code))),
        _read(charges.tags),
        _read(charges.cost_categories),
    )
    for project in tenant.active_projects:
        if project.name == charges.project:
            claims = [*project.own_claims, *project.account_claims]
            for name, claim in sorted(claims, key=lambda named: named[1].priority):
                if match_claim(claim, values) is Match.YES:
                    return f"{name} (priority {claim.priority}): {claim.in_words}"
    if tenant.without_value in (FOLLOW, charges.project):
        rule = f"without_value: {tenant.without_value}"
        return f"no claim; the charges lack a value that a claim requires ({rule})"
    return "a claim that is no longer declared"


def _read(labels: str | None) -> dict[str, str]:
    """Read tags or cost categories, a JSON object as text."""
    loaded: dict[str, str] = json.loads(labels) if labels else {}
    return loaded


def _reason_of(charges: ExplainedCharges) -> str:
    """Describe why the dimension has its value, or has none."""
    if charges.dimension is None:
        return "no dimension is declared"
    if charges.rule is None:
        return "no rule matched"
    if charges.rule_version is None:
        return f"no rule matched, so the label of project {charges.project} counts"
    since = f"version {charges.rule_version}, declared on {charges.declared_on}"
    return f"rule {charges.rule} ({since}): {charges.conditions}"
