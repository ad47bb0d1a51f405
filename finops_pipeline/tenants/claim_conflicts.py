"""Finding two projects that claim the same charges, and suggesting a cure.

Put here: the rule within one tenant, and between a declaration and what is stored. Keep out: the
claims themselves (model.py), releasing one (application/lifecycle_changes.py).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, product

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.claim import conflicting_claims
from finops_pipeline.tenants.model import UNASSIGNED, Project, Tenant


def check_stored_claims(stored: Tenant, declared: Tenant) -> None:
    """Check that no declared claim is to an account that another stored project claims.

    The model enforces the rule itself. This function knows which project had the account before,
    so that its message can contain a command that works as it stands.

    Raises:
        RegistryError: there is such a claim.
    """
    mentioned = {project.name: _accounts_of(project) for project in declared.projects}
    holders = defaultdict[str, list[Project]](list)
    for holder in stored.projects:
        for account in _accounts_of(holder):
            holders[account].append(holder)
    for project in declared.projects:
        for holder in chain.from_iterable(holders[id_] for id_ in sorted(mentioned[project.name])):
            is_same = project.name in (holder.name, UNASSIGNED)
            if not is_same and _share_sources(stored, declared, project, holder):
                _check_apart(stored.name, project, holder, mentioned.get(holder.name, set()))
    _check_stored_conflicts(stored, declared)


def _check_stored_conflicts(stored: Tenant, declared: Tenant) -> None:
    """Check that no declared claim contradicts one that stays as it is stored."""
    restated = {p.name for p in declared.projects if "claims" in p.model_fields_set}
    remaining = [
        (holder, name, claim)
        for holder in stored.projects
        if holder.name not in restated
        for name, claim in holder.own_claims
    ]
    for project in declared.projects:
        for (name, claim), (holder, other_name, other) in product(project.own_claims, remaining):
            is_conflict = holder.name != project.name and claim.conflicts_with(other)
            if is_conflict and _share_sources(stored, declared, project, holder):
                raise conflicting_claims(
                    f"{other_name} of {stored.name}/{holder.name} ({other.in_words})",
                    f"{name} of {stored.name}/{project.name} ({claim.in_words})",
                    claim.priority,
                    f"finops project release {stored.name}/{holder.name}"
                    f" {other_name.removeprefix('claim ')}",
                )


def _accounts_of(project: Project) -> set[str]:
    return {claim.id for claim in project.accounts}


def _share_sources(stored: Tenant, declared: Tenant, project: Project, holder: Project) -> bool:
    names = [source.name for source in (*stored.sources, *declared.sources)]
    return bool(set(project.sources or names) & set(holder.sources or names))


def _check_apart(tenant: str, project: Project, holder: Project, declared_anew: set[str]) -> None:
    """Compare a project's claims with those of another one that stay as they are stored."""
    for claim, other in product(project.accounts, holder.accounts):
        if other.id not in declared_anew and claim.overlaps(other):
            raise RegistryError(
                f"account {claim.id} is claimed by {tenant}/{holder.name} ({other.in_words}) and"
                f" by {tenant}/{project.name} ({claim.in_words})",
                "one project for an account on each day",
                "Give both claims 'from' and 'to' dates that do not overlap, or release the first:"
                f" finops project release {tenant}/{holder.name} {claim.id}",
            )
