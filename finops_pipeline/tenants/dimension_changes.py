"""Merging a declared `dimensions` section into the stored one: versions, and what changed.

Put here: numbering versions, describing changes, the rules between rules and projects. Keep out:
the section itself (dimensions.py), merging everything else (declare.py).

The section is declared as a whole: a file that has it replaces all of it, because a rule has a
meaning only together with the others. A file without it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from finops_pipeline.clock import now
from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.tenants.dimension_rule import Rule
from finops_pipeline.tenants.dimensions import Dimension, Dimensions
from finops_pipeline.tenants.model import UNASSIGNED, Project, Tenant


def check_rule_projects(declared: Tenant, projects: Iterable[Project]) -> None:
    """Check that every project that a declared rule requires exists.

    If a project is removed later, its rules stay: they match no charge, which does no harm.

    Raises:
        RegistryError: a rule requires a project that the tenant does not have.
    """
    project_names = sorted({UNASSIGNED, *(project.name for project in projects)})
    for rule in declared.dimensions.rules:
        for name in rule.when.projects:
            if name not in project_names:
                raise RegistryError(
                    f"tenant {declared.name}, dimensions: rule {rule.name!r} requires the project"
                    f" {name!r}, which is not declared, so that no charge can match",
                    f"one of: {', '.join(project_names)}",
                    did_you_mean(name, project_names) + "Declare the project, or correct the rule",
                )


def rename_rule_project(section: Dimensions, old: str, new: str) -> Dimensions:
    """Return the section with the new name of a project in its rules; versions stay."""
    rules = []
    for rule in section.rules:
        projects = tuple(new if name == old else name for name in rule.when.projects)
        when = rule.when.model_copy(update={"projects": projects})
        rules.append(rule.model_copy(update={"when": when}))
    return section.model_copy(update={"rules": tuple(rules)})


def merge_dimensions(old: Dimensions, declared: Dimensions) -> Dimensions:
    """Number a declared section; a rule that does the same as before keeps its version and day."""
    if _content(old) == _content(declared):
        return old
    version = old.version + 1
    stored = {rule.name: rule for rule in old.rules}
    rules = []
    for rule in declared.rules:
        before = stored.get(rule.name)
        is_same = before is not None and old.definition(before) == declared.definition(rule)
        since = (before.version, before.declared_on) if is_same and before else (version, _today())
        rules.append(rule.model_copy(update={"version": since[0], "declared_on": since[1]}))
    return declared.model_copy(update={"rules": tuple(rules), "version": version})


def _today() -> object:
    return now().date()


def _content(section: Dimensions) -> str:
    """Return everything that is declared, without versions."""
    return section.model_copy(
        update={
            "version": 0,
            "rules": tuple(
                rule.model_copy(update={"version": 0, "declared_on": None})
                for rule in section.rules
            ),
        }
    ).model_dump_json()


def list_dimension_changes(tenant: str, old: Dimensions, new: Dimensions) -> list[str]:
    """Describe what a merge changed, one line per dimension and rule; empty if nothing changed."""
    if old == new:
        return []
    lines = [
        *_compare("dimension", tenant, _dimension_lines(old.names), _dimension_lines(new.names)),
        *_compare("rule", tenant, _rule_lines(old.rules), _rule_lines(new.rules)),
    ]
    order = [rule.name for rule in old.rules_in_order], [r.name for r in new.rules_in_order]
    common = [[name for name in names if name in order[0] and name in order[1]] for names in order]
    if common[0] != common[1]:
        lines.append(f"~ rules {tenant}: order {', '.join(common[1])}")
    return lines or [f"~ dimensions {tenant}: version {old.version} -> {new.version}"]


def _dimension_lines(dimensions: Iterable[Dimension]) -> dict[str, str]:
    return {d.name: f"display_name {d.display_name!r}" for d in dimensions}


def _rule_lines(rules: Iterable[Rule]) -> dict[str, str]:
    return {rule.name: f"{rule.dimension}, version {rule.version}" for rule in rules}


def _compare(kind: str, tenant: str, old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines = [f"+ {kind} {tenant}/{name}" for name in new if name not in old]
    lines += [
        f"~ {kind} {tenant}/{name}: {old[name]} -> {new[name]}"
        for name in new
        if name in old and old[name] != new[name]
    ]
    return lines + [f"- {kind} {tenant}/{name}" for name in old if name not in new]
