"""Tenant and Project; this module also exports Source, the claims and the rules of names.

Put here: these classes and the rules that make them valid, alone and together. Keep out: the kinds
of source (source.py), the conditions of a claim (claim.py), storing them (registry.py), declaring
them in a file (declare.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finops_pipeline.errors import RegistryError, Unknown, did_you_mean
from finops_pipeline.tenants.account_claim import AccountClaim
from finops_pipeline.tenants.alert_settings import AlertSettings, DeclaredAlerts
from finops_pipeline.tenants.budgets import DeclaredBudgets
from finops_pipeline.tenants.claim import ACCOUNT_PRIORITY, Claim, conflicting_claims
from finops_pipeline.tenants.dimensions import Dimensions
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.names import check_account, check_name
from finops_pipeline.tenants.required_tags import DeclaredSets
from finops_pipeline.tenants.shared_costs import SharedCosts
from finops_pipeline.tenants.source import (
    REACH,
    AnySource,
    Source,
    SourceFormat,
    SourceKind,
    parse_source,
)
from finops_pipeline.tenants.statement_terms import (
    DeclaredTerms,
    ProjectTerms,
    TenantTerms,
    read_project_terms,
)

__all__ = [
    "FOLLOW",
    "REACH",
    "UNASSIGNED",
    "AccountClaim",
    "Claim",
    "Project",
    "Source",
    "SourceFormat",
    "SourceKind",
    "Tenant",
    "check_account",
    "check_name",
    "parse_source",
]

UNASSIGNED = "unassigned"
"""The built-in project of every tenant: charges that no project claims."""

FOLLOW = "follow"
"""The value of `without_value` that lets charges follow their resource, commitment or account."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Project(_Model):
    """A named part of a tenant's AWS estate; its charges come from the tenant's sources.

    `project_id` and `reused_at` are the registry's own: see project_identity.py.
    """

    name: str
    display_name: str = ""
    environment: str = ""
    business_unit: str = ""
    sources: tuple[str, ...] = ()
    accounts: tuple[AccountClaim, ...] = ()
    claims: tuple[Claim, ...] = ()
    state: Lifecycle = Lifecycle.ACTIVE
    statements: ProjectTerms = Field(default_factory=ProjectTerms)
    project_id: str = ""
    reused_at: str = ""

    @model_validator(mode="before")
    @classmethod
    def _normalize(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        raw = dict(raw)
        source = raw.pop("source", None)
        if source is not None:
            if raw.get("sources"):
                raise RegistryError(
                    f"project {raw.get('name')!r} has both source and sources", "one of the two"
                )
            raw["sources"] = (source,)
        accounts = raw.get("accounts") or ()
        if not isinstance(accounts, list | tuple):
            raise RegistryError(
                f"project {raw.get('name')!r} has accounts {accounts!r}", "a list of account ids"
            )
        raw["accounts"] = tuple(
            {"id": entry} if isinstance(entry, int | str) else entry for entry in accounts
        )
        if "claims" in raw:
            raw["claims"] = _read_claims(str(raw.get("name")), raw["claims"])
        if "statements" in raw:
            place = f"project {raw.get('name')!r}: statements"
            raw["statements"] = read_project_terms(raw["statements"], place)
        return raw

    @model_validator(mode="after")
    def _names(self) -> Project:
        check_name("project", self.name)
        return self

    @property
    def own_claims(self) -> list[tuple[str, Claim]]:
        """The entries of `claims:` with their names in messages: `claim 2`."""
        return [(f"claim {number}", claim) for number, claim in enumerate(self.claims, 1)]

    @property
    def account_claims(self) -> list[tuple[str, Claim]]:
        """The entries of `accounts:` with their names in messages: `account 111122223333`."""
        return [(f"account {claim.id}", claim.as_claim) for claim in self.accounts]


def _read_claims(project: str, entries: Any) -> tuple[Any, ...]:
    """Read the entries of `claims:`; pydantic reports entries with a wrong field later.

    Raises:
        RegistryError: a claim breaks a rule; the message names the place.
    """
    if entries is None:
        return ()
    if not isinstance(entries, list | tuple):
        raise RegistryError(f"project {project!r} has claims {entries!r}", "a list of claims")
    claims = []
    for number, entry in enumerate(entries, 1):
        try:
            claims.append(Claim.model_validate(entry))
        except ValidationError:
            claims.append(entry)
        except RegistryError as error:
            found = f"project {project!r}, claim {number}: {error.found}"
            raise RegistryError(found, error.expected, error.cure) from error
    return tuple(claims)


class Tenant(_Model):
    """An organisation: the unit of isolation. One folder, one DuckDB file, one deletion.

    `external_id` is the value that the trust policies of the tenant's roles require. The registry
    makes it when the tenant is first saved; nobody chooses it, and it never changes.
    `without_value` decides where charges go that lack a value which a claim requires: the name of
    a project, `follow`, or nothing, which means `unassigned`.
    """

    name: str
    display_name: str = ""
    external_id: str = ""
    state: Lifecycle = Lifecycle.ACTIVE
    sources: tuple[AnySource, ...] = ()
    projects: tuple[Project, ...] = ()
    dimensions: Dimensions = Field(default_factory=Dimensions)
    shared_costs: SharedCosts = ()
    without_value: str = ""
    statements: DeclaredTerms = Field(default_factory=TenantTerms)
    required_tags: DeclaredSets = {}
    budgets: DeclaredBudgets = ()
    alerts: DeclaredAlerts = Field(default_factory=AlertSettings)

    @model_validator(mode="after")
    def _check_parts(self) -> Tenant:
        check_name("tenant", self.name)
        _check_unique("source", self.name, [source.name for source in self.sources])
        _check_unique("project", self.name, [project.name for project in self.projects])
        for project in self.projects:
            self._check_project(project)
        for first, second in _claimants_of_one_account(self.projects):
            _check_claims_apart(self, first, second)
        _check_no_conflicts(self)
        self._check_without_value()
        return self

    def _check_without_value(self) -> None:
        names = [UNASSIGNED, FOLLOW, *(project.name for project in self.projects)]
        if self.without_value and self.without_value not in names:
            raise RegistryError(
                f"tenant {self.name} has without_value {self.without_value!r}, which is not one"
                " of its projects",
                f"one of: {', '.join(names)}",
                f"Choose one: finops tenant add {self.name} --without-value unassigned",
            )

    def _check_project(self, project: Project) -> None:
        source_names = [source.name for source in self.sources]
        for name in project.sources:
            if name not in source_names:
                raise RegistryError(
                    f"project {self.name}/{project.name} reads source {name!r}, which tenant"
                    f" {self.name} does not have",
                    f"one of: {', '.join(source_names) or '(none declared)'}",
                    "Declare the source first or correct the name",
                )
        if project.name == UNASSIGNED and (project.accounts or project.sources or project.claims):
            raise RegistryError(
                f"project {self.name}/{UNASSIGNED} cannot claim accounts",
                "no accounts: it has all accounts that no other project claims",
            )
        for first, second in combinations(project.accounts, 2):
            if first.overlaps(second):
                raise RegistryError(
                    f"project {self.name}/{project.name} claims account {first.id} twice"
                    f" ({first.in_words}; {second.in_words})",
                    "claims to one account on days that do not overlap",
                )

    def source(self, name: str) -> Source:
        """Return the source of that name.

        Raises:
            Unknown: this tenant has none.
        """
        for source in self.sources:
            if source.name == name:
                return source
        raise Unknown(
            f"source {self.name}/{name} is not known",
            cure=did_you_mean(name, [source.name for source in self.sources])
            + f"List the sources: finops source list {self.name}",
        )

    def project(self, name: str) -> Project:
        """Return the project of that name; `unassigned` always exists.

        Raises:
            Unknown: this tenant has none.
        """
        for project in (*self.projects, *self.all_projects):
            if project.name == name:
                return project
        raise Unknown(
            f"project {self.name}/{name} is not known",
            cure=did_you_mean(name, [project.name for project in self.all_projects])
            + f"List the projects: finops project list {self.name}",
        )

    @property
    def is_active(self) -> bool:
        """Whether it is ingested: neither disabled nor removed."""
        return self.state is Lifecycle.ACTIVE

    @property
    def active_projects(self) -> tuple[Project, ...]:
        """Declared projects whose claims count; charges of disabled ones are in `unassigned`."""
        return tuple(p for p in self.projects if p.state is Lifecycle.ACTIVE)

    @property
    def all_projects(self) -> tuple[Project, ...]:
        """Declared projects that are active, and the built-in `unassigned`, by name."""
        own = {project.name: project for project in self.active_projects}
        own.setdefault(UNASSIGNED, Project(name=UNASSIGNED, environment=UNASSIGNED))
        return tuple(own[name] for name in sorted(own))

    def sources_of(self, project: Project, month: str | None = None) -> tuple[str, ...]:
        """List the names of the bills that a project's charges (of a month) come from.

        Cost Explorer is not a bill: it yields no charges, whether or not a project names it.
        """
        bills = {
            source.name
            for source in self.sources
            if source.is_bill and (month is None or source.covers(month))
        }
        return tuple(name for name in self.named_by(project) if name in bills)

    def leaves_out(self, source: str, month: str) -> bool:
        """Return whether a source is declared and this month is not one of those that count."""
        return any(s.name == source and not s.covers(month) for s in self.sources)

    def named_by(self, project: Project) -> tuple[str, ...]:
        """List the names of a project's sources, including Cost Explorer; all if it names none."""
        return tuple(sorted(project.sources or [source.name for source in self.sources]))

    @property
    def cost_explorer_sources(self) -> tuple[str, ...]:
        """Names of the sources whose deliveries are answers of Cost Explorer."""
        cost_explorer = SourceFormat.COST_EXPLORER
        return tuple(sorted(s.name for s in self.sources if s.format is cost_explorer))


def _check_unique(kind: str, tenant: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RegistryError(f"{kind} {tenant}/{name} is declared twice", "each name once")


def _claimants_of_one_account(projects: Iterable[Project]) -> Iterator[tuple[Project, Project]]:
    """Yield each pair of projects that claim the same account, on any days, in any sources."""
    claimants = defaultdict[str, list[Project]](list)
    for project in projects:
        for account in dict.fromkeys(claim.id for claim in project.accounts):
            claimants[account].append(project)
    for group in claimants.values():
        yield from combinations(group, 2)


def _check_claims_apart(tenant: Tenant, first: Project, second: Project) -> None:
    """Check that two projects do not claim an account of the same source on the same day."""
    if not set(tenant.named_by(first)) & set(tenant.named_by(second)):
        return
    for claim, other in product(first.accounts, second.accounts):
        if claim.overlaps(other):
            raise RegistryError(
                f"account {claim.id} is claimed by {tenant.name}/{first.name} ({claim.in_words})"
                f" and by {tenant.name}/{second.name} ({other.in_words})",
                "one project for an account on each day",
                "Give the claims 'from' and 'to' dates that do not overlap, or leave one out",
            )


def _check_no_conflicts(tenant: Tenant) -> None:
    """Check that no two projects have claims of equal priority that can take the same charge.

    Claims to whole accounts matter only if another claim has their priority.
    """
    priorities = {claim.priority for project in tenant.projects for claim in project.claims}
    owned = [(project, *named) for project in tenant.projects for named in project.own_claims]
    if ACCOUNT_PRIORITY in priorities:
        owned += [(p, *named) for p in tenant.projects for named in p.account_claims]
    for (first, name, claim), (second, other_name, other) in combinations(owned, 2):
        is_of_accounts = name.startswith("account") and other_name.startswith("account")
        if first.name == second.name or is_of_accounts:
            continue
        has_common_source = set(tenant.named_by(first)) & set(tenant.named_by(second))
        if claim.conflicts_with(other) and has_common_source:
            raise conflicting_claims(
                f"{name} of {tenant.name}/{first.name} ({claim.in_words})",
                f"{other_name} of {tenant.name}/{second.name} ({other.in_words})",
                claim.priority,
            )
