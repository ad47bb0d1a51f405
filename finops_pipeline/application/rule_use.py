"""Listing rules of dimensions, trying them out before they are declared, and explaining them.

Put here: what `finops rules` does. Keep out: declaring rules (tenants/declare.py), applying them
(marts), formatting (cli/rule_commands.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finops_pipeline.application.claim_explanation import explain_claims
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.rule_explanation import (
    COST_EXPLORER_DAY,
    ExplainedCharges,
    explain_charges,
)
from finops_pipeline.marts.rule_trial import ValueChange, try_rules
from finops_pipeline.tenants.declare import merge, read_declaration


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
    changed, _ = merge(stored, declared[0], file)
    return try_rules(installation.folder(name), changed, installation.limits)


@dataclass(frozen=True)
class Explanation:
    """Why charges are in their project, and why a dimension has its value, as text."""

    charges: ExplainedCharges
    claim: str
    reason: str


def explain(installation: Installation, name: str, id: str) -> list[Explanation]:
    """Explain the charges of a line item, a resource or a commitment.

    The id of an account is for charges that have none of these, such as taxes of a FOCUS export,
    and for its days in Cost Explorer.

    Raises:
        Unknown: there is no such tenant or charge, or nothing has been built for the tenant yet.
        RegistryError: claims of equal priority take the same charge.
    """
    tenant, folder = installation.registry.tenant(name), installation.folder(name)
    with reading(folder) as connection:
        installation.limits.apply(connection)
        explained = explain_charges(connection, name, id)
        if not explained:
            raise Unknown(
                f"tenant {name} has no charge with the line item, resource or commitment {id!r}",
                "a value of x_LineItemId, ResourceId, ResourceName or CommitmentDiscountId in"
                " costs, or the account of charges that have none of them, such as taxes",
                f'To list the resources: finops query {name} "select distinct ResourceId from'
                ' costs"',
            )
        claims = explain_claims(connection, tenant, explained, id)
    return [
        Explanation(charges, claim, _reason_of(charges))
        for charges, claim in zip(explained, claims, strict=True)
    ]


def _reason_of(charges: ExplainedCharges) -> str:
    """Return why the dimension has its value, or none."""
    if charges.row_kind == COST_EXPLORER_DAY:
        return "Cost Explorer's days have no dimensions"
    if charges.dimension is None:
        return "no dimension is declared"
    if charges.rule is None:
        return "no rule matched"
    if charges.rule_version is None:
        return f"no rule matched, so the label of project {charges.project} counts"
    since = f"version {charges.rule_version}, declared on {charges.declared_on}"
    return f"rule {charges.rule} ({since}): {charges.conditions}"
