"""Bodies of requests that declare projects and rules, as tenants.yaml spells them.

Put here: which fields a body may have, and how large they may be. Keep out: what they mean
(tenants/), other parameters (request_parameters.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_RULE_TEXTS = 3000
"""Values in the conditions of all rules: rules of a dimension are compared with each other."""

_Text = Annotated[str, Field(max_length=300)]
_Texts = Annotated[list[_Text], Field(max_length=200)]
_ByKey = Annotated[dict[_Text, _Texts], Field(max_length=50)]
_Spellings = Annotated[dict[_Text, _Text | _Texts], Field(max_length=5000)]
_Day = Annotated[str, Field(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$", examples=["2026-10-01"])]
_Name = Annotated[str, Field(max_length=100, examples=["web"])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def as_entry(self) -> dict[str, Any]:
        """Return what was stated, as tenants.yaml spells it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class _Days(_Body):
    from_day: _Day | None = Field(default=None, alias="from", description="First day.")
    to_day: _Day | None = Field(default=None, alias="to", description="First day after it.")


class AccountBody(_Days):
    """An account that a project claims, always or on some days."""

    id: _Text = Field(examples=["111122223333"])


class ClaimBody(_Days):
    """Conditions, all of which a charge must meet to be claimed."""

    priority: int = Field(default=100, ge=0, le=1_000_000, description="The lowest number wins.")
    accounts: _Texts = Field(default_factory=list)
    regions: _Texts = Field(default_factory=list)
    services: _Texts = Field(default_factory=list)
    tags: _ByKey = Field(default_factory=dict)
    cost_categories: _ByKey = Field(default_factory=dict)


class ProjectState(StrEnum):
    """Whether the claims of a project count."""

    ACTIVE = "active"
    DISABLED = "disabled"


class ProjectChange(_Body):
    """Fields of a project; the others stay. A list replaces the stored one."""

    display_name: _Text = Field(default="", description="Free text for people.")
    environment: _Text = Field(default="", description="Such as prod, staging or dev.")
    business_unit: _Text = ""
    sources: _Texts = Field(default_factory=list, description="Sources of its bills; empty: all.")
    accounts: Annotated[list[_Text | AccountBody], Field(max_length=1000)] = Field(
        default_factory=list, description="Accounts that it claims, or `{id, from, to}`."
    )
    claims: Annotated[list[ClaimBody], Field(max_length=200)] = Field(
        default_factory=list, description="Claims with conditions, in the form of tenants.yaml."
    )
    state: ProjectState = Field(
        default=ProjectState.ACTIVE, description="The charges of a disabled one are unassigned."
    )


class ProjectBody(ProjectChange):
    """A project."""

    name: _Name = Field(description="2 to 40 characters from a-z, 0-9 and `-`.")


class NewName(_Body):
    """The new name of a project."""

    name: _Name = Field(description="A name that is free.")


class PreviewBody(_Body):
    """Projects to try out."""

    projects: Annotated[list[ProjectBody], Field(max_length=100)] = Field(
        default_factory=list,
        description="New projects, or changed fields of existing ones; none: what is declared now.",
    )


class ConditionsBody(_Body):
    """What a rule requires of a charge; `*` in a text stands for any characters."""

    accounts: _Texts = Field(default_factory=list)
    projects: _Texts = Field(default_factory=list)
    regions: _Texts = Field(default_factory=list)
    services: _Texts = Field(default_factory=list)
    resources: _Texts = Field(default_factory=list)
    charge_categories: _Texts = Field(default_factory=list)
    tags: _ByKey = Field(default_factory=dict)
    cost_categories: _ByKey = Field(default_factory=dict)

    def texts(self) -> Iterator[str]:
        """Yield the values of all conditions."""
        for name in type(self).model_fields:
            stated = getattr(self, name)
            lists = stated.values() if isinstance(stated, dict) else [stated]
            for each in lists:
                yield from each


class RuleBody(_Days):
    """A rule that gives charges a value in a dimension: a literal one, or that of a tag."""

    name: _Name
    dimension: _Text
    value: _Text | None = None
    value_from: _Text | None = None
    mapping: _Text | None = None
    when: ConditionsBody = Field(default_factory=ConditionsBody)
    priority: int | None = Field(default=None, ge=1, le=1_000_000)


class DimensionBody(_Body):
    """A dimension, such as team."""

    name: _Text
    display_name: _Text | None = None


class SectionBody(_Body):
    """The section `dimensions` of tenants.yaml."""

    names: Annotated[list[_Text | DimensionBody], Field(max_length=50)] = Field(
        default_factory=list, description="Dimensions, such as `team`."
    )
    tag_keys: _Spellings = Field(
        default_factory=dict, description="Keys of tags, each with its other spellings."
    )
    mappings: Annotated[dict[_Text, _Spellings], Field(max_length=100)] = Field(
        default_factory=dict, description="Values, each with its other spellings, by mapping."
    )
    rules: Annotated[list[RuleBody], Field(max_length=300)] = Field(
        default_factory=list, description="Rules, in the order in which they are tried."
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        number = sum(1 for rule in self.rules for _ in rule.when.texts())
        if number > MOST_RULE_TEXTS:
            raise ValueError(f"at most {MOST_RULE_TEXTS:,} values in conditions, not {number:,}")
        return self


class RulesBody(SectionBody):
    """The section `dimensions` in place of the declared one."""

    version: int | None = Field(
        default=None, ge=0, description="Refuse it unless this version is declared still."
    )

    def as_section(self) -> dict[str, Any]:
        """Return the section without the version that the caller has read."""
        return {name: value for name, value in self.as_entry().items() if name != "version"}
