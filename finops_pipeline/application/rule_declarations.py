"""Rules of dimensions that a tenant's administrator declares: read, declare, try out, remove.

Put here: these use cases. Keep out: declaring from a file (declared_file.py), explaining
(rule_use.py), versions and the rules between rules (tenants/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finops_pipeline.application.administered_tenant import REQUEST, AdministeredTenant
from finops_pipeline.application.rule_use import DeclaredRule, list_rules
from finops_pipeline.errors import RegistryError, Unknown, did_you_mean
from finops_pipeline.marts.rule_trial import ValueChange, try_rules
from finops_pipeline.tenants.declare import merge, parse_entry
from finops_pipeline.tenants.dimension_changes import list_dimension_changes, merge_dimensions
from finops_pipeline.tenants.dimensions import export_dimensions
from finops_pipeline.tenants.model import Tenant

Section = Mapping[str, Any]
"""The section `dimensions` of tenants.yaml as plain data."""


@dataclass(frozen=True)
class DeclaredRules:
    """The declared section, its version, and its rules in the order in which they are tried."""

    version: int
    section: dict[str, Any]
    rules: list[DeclaredRule]


def read_rules(own: AdministeredTenant) -> DeclaredRules:
    """Read the declared dimensions and rules; the section can be declared again as it is.

    Raises:
        NotGranted: another tenant has the name now.
    """
    declared = own.read().dimensions
    section = export_dimensions(declared)
    section.pop("version", None)
    for rule in section.get("rules", ()):
        for field in ("version", "declared_on"):
            rule.pop(field, None)
    return DeclaredRules(declared.version, section, list_rules(own.installation, own.name))


def declare_rules(own: AdministeredTenant, section: Section, version: int | None) -> list[str]:
    """Declare dimensions and rules in place of all earlier ones; return a line for each change.

    Args:
        version: of the section that the caller has read; None: whichever is declared.

    Raises:
        RegistryError: the section breaks a rule, or another version is declared; nothing changes.
        RegistryBusy: another process is changing the registry.
        NotGranted: another tenant has the name now.
    """
    with own.changing() as tenant:
        _check_version(tenant, version)
        merged, lines = merge(tenant, _parse(tenant, section))
        if lines:
            own.installation.registry.save(merged)
    return lines


def remove_rule(own: AdministeredTenant, name: str) -> list[str]:
    """Declare the rules without one of them; return a line for each change.

    Raises:
        Unknown: there is no such rule.
        RegistryBusy: another process is changing the registry.
        NotGranted: another tenant has the name now.
    """
    with own.changing() as tenant:
        before = tenant.dimensions
        rest = tuple(rule for rule in before.rules if rule.name != name)
        if len(rest) == len(before.rules):
            names = [rule.name for rule in before.rules]
            raise Unknown(
                f"tenant {tenant.name} has no rule {name[:60]!r}",
                f"one of: {', '.join(names) or '(none declared)'}",
                did_you_mean(name, names) + f"List the rules: finops rules list {tenant.name}",
            )
        after = merge_dimensions(before, before.model_copy(update={"rules": rest}))
        own.installation.registry.save(tenant.model_copy(update={"dimensions": after}))
    return list_dimension_changes(own.name, before, after)


def try_section(own: AdministeredTenant, section: Section) -> list[ValueChange]:
    """Compare the values that a section would give with the published ones; nothing is declared.

    Raises:
        RegistryError: the section breaks a rule.
        Unknown: nothing has been built for the tenant yet.
        NotGranted: another tenant has the name now.
    """
    tenant = own.read()
    changed, _ = merge(tenant, _parse(tenant, section))
    changes = try_rules(own.installation.folder(tenant.name), changed, own.installation.limits)
    return [change for change in changes if change.is_change]


def _parse(tenant: Tenant, section: Section) -> Tenant:
    return parse_entry({"name": tenant.name, "dimensions": dict(section)}, REQUEST)


def _check_version(tenant: Tenant, version: int | None) -> None:
    if version not in (None, tenant.dimensions.version):
        raise RegistryError(
            f"version {tenant.dimensions.version} of the rules is declared, not {version}",
            "the version that is declared, or none",
            f"Read the rules again, and repeat the change: finops rules list {tenant.name}",
        )
