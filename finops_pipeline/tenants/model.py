"""The nouns: Tenant, Source, Project, AccountClaim, and the grammar of their names.

Put here: what these are and when they are valid on their own and together. Keep out: where
they are stored (registry.py) and how they are written by hand (declare.py).
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.tenants import places

UNASSIGNED = "unassigned"
"""The built-in project of every tenant: charges of accounts that no project claims."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")


def check_name(kind: str, name: str) -> str:
    """Return `name` when it is a safe path segment and partition key.

    Args:
        kind: the word for the message: tenant, source, project.

    Raises:
        RegistryError: the name breaks the grammar.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RegistryError(
            f"{kind} name {name!r} cannot be used",
            "2 to 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'",
            "Choose such a name; free text belongs in display_name",
        )
    return name


def check_account(value: object) -> str:
    """Return an AWS account id as its 12 digits.

    YAML reads an unquoted 001122334455 as an octal number, so a number is only taken when
    nothing can have been lost.

    Raises:
        RegistryError: not 12 digits.
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ACCOUNT.fullmatch(text):
        raise RegistryError(
            f"account id {value!r} is not an AWS account id",
            "12 digits in quotes",
            'Write it quoted, for example "001122334455"',
        )
    return text


class SourceFormat(StrEnum):
    """The forms of AWS bill that a source may deliver."""

    LEGACY_CUR = "legacy-cur"
    CUR_2 = "cur-2.0"
    FOCUS = "focus"
    COST_EXPLORER = "cost-explorer"


REACH = ("role_arn", "profile", "endpoint_url", "region")
"""Fields of a source that say how AWS is reached."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(_Noun):
    """One billing export that a tenant receives.

    `location` is the folder of the report (`/exports/acme/finops/cur`, `s3://bucket/finops/cur`),
    the endpoint of Cost Explorer (`https://ce.us-east-1.amazonaws.com`), or empty for a source
    that is only fed by `finops ingest-file`.

    How AWS is reached: with `role_arn`, that role is assumed (with the tenant's external id)
    by the installation's own credentials; these are the named `profile`, or the default chain.
    `endpoint_url` is that of an S3-compatible store; `region` that of the bucket.
    """

    name: str
    format: SourceFormat
    location: Annotated[str, AfterValidator(places.check_location)] = ""
    role_arn: Annotated[str, AfterValidator(places.check_role)] = ""
    profile: str = ""
    endpoint_url: Annotated[str, AfterValidator(places.check_endpoint)] = ""
    region: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Source:
        check_name("source", self.name)
        places.check_word("profile", self.profile)
        places.check_word("region", self.region)
        if self.format is SourceFormat.COST_EXPLORER and self.location:
            places.check_endpoint(self.location)
        said = [name for name in REACH if getattr(self, name)]
        if said and not self.in_aws:
            raise RegistryError(
                f"source {self.name} has {' and '.join(said)}, but reads nothing from AWS",
                "a location s3://bucket/prefix, or the format cost-explorer",
                "Set the location, or leave them out",
            )
        return self

    @property
    def in_aws(self) -> bool:
        """Whether reading this source speaks to AWS or a store like S3."""
        explorer = self.format is SourceFormat.COST_EXPLORER and bool(self.location)
        return explorer or places.is_s3(self.location)


class AccountClaim(_Noun):
    """An account that a project claims from a day (included) to a day (excluded)."""

    id: Annotated[str, BeforeValidator(check_account)]
    from_day: date | None = Field(default=None, alias="from")
    to_day: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> AccountClaim:
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise RegistryError(
                f"account {self.id} is claimed from {self.from_day} to {self.to_day}",
                "'from' before 'to' ('to' is the first day no longer claimed)",
            )
        return self

    def overlaps(self, other: AccountClaim) -> bool:
        """Whether both claim the same account on at least one same day."""
        return (
            self.id == other.id
            and (self.from_day or date.min) < (other.to_day or date.max)
            and (other.from_day or date.min) < (self.to_day or date.max)
        )

    def touches(self, first: date, end: date) -> bool:
        """Whether the claim holds on some day of [first, end)."""
        return (self.from_day or date.min) < end and first < (self.to_day or date.max)

    @property
    def days(self) -> str:
        """The claimed days in words, for messages."""
        if not (self.from_day or self.to_day):
            return "always"
        return f"{self.from_day or 'always'} to {self.to_day or 'open'}"


class Project(_Noun):
    """A named part of a tenant's AWS estate; its charges come from the tenant's sources."""

    name: str
    display_name: str = ""
    environment: str = ""
    business_unit: str = ""
    sources: tuple[str, ...] = ()
    accounts: tuple[AccountClaim, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        raw = dict(raw)
        one = raw.pop("source", None)
        if one is not None:
            if raw.get("sources"):
                raise RegistryError(
                    f"project {raw.get('name')!r} has both source and sources", "one of the two"
                )
            raw["sources"] = (one,)
        accounts = raw.get("accounts") or ()
        if not isinstance(accounts, list | tuple):
            raise RegistryError(
                f"project {raw.get('name')!r} has accounts {accounts!r}", "a list of account ids"
            )
        raw["accounts"] = tuple(
            {"id": entry} if isinstance(entry, int | str) else entry for entry in accounts
        )
        return raw

    @model_validator(mode="after")
    def _names(self) -> Project:
        check_name("project", self.name)
        return self


class Tenant(_Noun):
    """An organisation: the unit of isolation. One folder, one DuckDB file, one deletion.

    `external_id` is what the tenant's roles ask for before they let themselves be assumed. The
    registry makes it when the tenant is first saved; nobody chooses it, and it never changes.
    """

    name: str
    display_name: str = ""
    external_id: str = ""
    sources: tuple[Source, ...] = ()
    projects: tuple[Project, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Tenant:
        check_name("tenant", self.name)
        _once("source", self.name, [source.name for source in self.sources])
        _once("project", self.name, [project.name for project in self.projects])
        for project in self.projects:
            self._check_project(project)
        for one, other in combinations(self.projects, 2):
            _no_conflict(self, one, other)
        return self

    def _check_project(self, project: Project) -> None:
        known = [source.name for source in self.sources]
        for name in project.sources:
            if name not in known:
                raise RegistryError(
                    f"project {self.name}/{project.name} reads source {name!r}, which tenant"
                    f" {self.name} does not have",
                    f"one of: {', '.join(known) or '(none declared)'}",
                    "Declare the source first or correct the name",
                )
        if project.name == UNASSIGNED and (project.accounts or project.sources):
            raise RegistryError(
                f"project {self.name}/{UNASSIGNED} cannot claim accounts",
                "no accounts: it takes what no other project claims",
            )
        for one, other in combinations(project.accounts, 2):
            if one.overlaps(other):
                raise RegistryError(
                    f"project {self.name}/{project.name} claims account {one.id} twice"
                    f" ({one.days}; {other.days})",
                    "claims of one account whose days do not overlap",
                )

    def source(self, name: str) -> Source:
        """The source of that name.

        Raises:
            Unknown: this tenant has none.
        """
        for source in self.sources:
            if source.name == name:
                return source
        raise Unknown(f"source {self.name}/{name} is not known", cure="See finops source list")

    def project(self, name: str) -> Project:
        """The project of that name; `unassigned` is always there.

        Raises:
            Unknown: this tenant has none.
        """
        for project in self.all_projects:
            if project.name == name:
                return project
        raise Unknown(f"project {self.name}/{name} is not known", cure="See finops project list")

    @property
    def all_projects(self) -> tuple[Project, ...]:
        """Declared projects and the built-in `unassigned`, by name."""
        own = {project.name: project for project in self.projects}
        own.setdefault(UNASSIGNED, Project(name=UNASSIGNED, environment=UNASSIGNED))
        return tuple(own[name] for name in sorted(own))

    def sources_of(self, project: Project) -> tuple[str, ...]:
        """Names of the bills a project's charges come from; none named means all.

        Cost Explorer is no bill: it makes no charges, whether a project names it or not.
        """
        named = self.named_by(project)
        return tuple(name for name in named if name not in self.explorers)

    def named_by(self, project: Project) -> tuple[str, ...]:
        """Names of all sources a project reads, Cost Explorer's too; none named means all."""
        return tuple(sorted(project.sources or [source.name for source in self.sources]))

    @property
    def explorers(self) -> tuple[str, ...]:
        """Names of the sources that are Cost Explorer's answers."""
        kind = SourceFormat.COST_EXPLORER
        return tuple(sorted(source.name for source in self.sources if source.format is kind))


def _once(kind: str, tenant: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RegistryError(f"{kind} {tenant}/{name} is declared twice", "one declaration")


def _no_conflict(tenant: Tenant, one: Project, other: Project) -> None:
    if not set(tenant.named_by(one)) & set(tenant.named_by(other)):
        return
    for mine in one.accounts:
        for theirs in other.accounts:
            if mine.overlaps(theirs):
                raise RegistryError(
                    f"account {mine.id} is claimed by {tenant.name}/{one.name} ({mine.days})"
                    f" and by {tenant.name}/{other.name} ({theirs.days})",
                    "one project for an account on any day",
                    "Give the claims 'from' and 'to' dates that do not overlap, or release one:"
                    f" finops project release {tenant.name}/{one.name} {mine.id}",
                )
