"""What a rule of a dimension requires of a charge: accounts, regions, services, tags and more.

Put here: the conditions of one rule, the patterns in them, whether two rules can match one charge.
Keep out: rules and dimensions (dimensions.py), matching charges (marts/sql/allocations.sql).

A pattern is text in which `*` stands for any characters. At most two are allowed, so that matching
takes time in proportion to the text, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from finops_pipeline.errors import RegistryError, counted, did_you_mean
from finops_pipeline.tenants.names import check_account

MAX_VALUE = 256
"""Characters of a value: the most that AWS allows in the value of a tag."""

MAX_KEY = 128
"""Characters of a key: the most that AWS allows in the key of a tag."""

CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
"""As in FOCUS; a test compares them with the contract of charges, which cannot be imported here."""

_MAX_PATTERN = 512
_MAX_PATTERNS = 1000
_MAX_WILDCARDS = 2
_SHOWN = 80


def check_text(kind: str, value: object, longest: int) -> str:
    """Return text of a rule that is neither empty nor too long.

    YAML reads an unquoted 0471 as a number and yes as true, so anything but text is refused.

    Args:
        kind: what to call it in a message.

    Raises:
        RegistryError: it is not such text.
    """
    if not isinstance(value, str):
        raise RegistryError(
            f"{kind} is {_short(value)}, which is not text", "text", "Write it in quotes"
        )
    if not value.strip() or not value.isprintable():
        raise RegistryError(f"{kind} is {_short(value)}", "text with printable characters")
    if len(value) > longest:
        raise RegistryError(
            f"{kind} {_short(value)} has {counted(len(value), 'character')}", f"at most {longest:,}"
        )
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True)
class Pattern:
    """What a value must equal, or what it must begin with, then contain, and end with."""

    prefix: str
    middle: str = ""
    suffix: str = ""
    is_exact: bool = True


def parse_pattern(text: str) -> Pattern:
    """Read a pattern that was checked: text with up to two `*`."""
    if "*" not in text:
        return Pattern(text)
    parts = text.split("*")
    middle = parts[1] if len(parts) == _MAX_WILDCARDS + 1 else ""
    return Pattern(parts[0], middle, parts[-1], is_exact=False)


def _check_pattern(kind: str, value: object) -> str:
    text = check_text(f"a pattern of {kind}", value, _MAX_PATTERN)
    while "**" in text:
        text = text.replace("**", "*")
    if text.count("*") > _MAX_WILDCARDS:
        raise RegistryError(
            f"the pattern {_short(text)} of {kind} has {counted(text.count('*'), 'wildcard')} *",
            f"at most {_MAX_WILDCARDS}, such as arn:aws:lambda:*:function:pay-*",
            "Leave out a *, or write several patterns",
        )
    if any(character in "?[]" for character in text):
        raise RegistryError(
            f"the pattern {_short(text)} of {kind} contains ?, [ or ]",
            "text in which only * has a special meaning: any characters",
            "Use * instead",
        )
    return text


def _as_list(kind: str, raw: object) -> list[object]:
    values = list(raw) if isinstance(raw, list | tuple) else [raw]
    if not values or values == [None]:
        raise RegistryError(
            f"the list {kind} is empty, so that no charge can match", "at least one value"
        )
    if len(values) > _MAX_PATTERNS:
        raise RegistryError(
            f"the list {kind} has {counted(len(values), 'value')}", f"up to {_MAX_PATTERNS}"
        )
    return values


def _patterns(kind: str) -> BeforeValidator:
    """Return a validator of one pattern or a list of them."""
    return BeforeValidator(
        lambda raw: tuple(_check_pattern(kind, value) for value in _as_list(kind, raw))
    )


def _patterns_by_key(kind: str) -> BeforeValidator:
    """Return a validator of a mapping: key -> one pattern or a list of them."""

    def check(raw: object) -> object:
        if not isinstance(raw, Mapping) or not raw:
            raise RegistryError(
                f"{kind} is {_short(raw)}", f"keys with values, such as {kind}: {{Team: payments}}"
            )
        return {
            check_text(f"a key of {kind}", key, MAX_KEY): tuple(
                _check_pattern(f"{kind}.{key}", value)
                for value in _as_list(f"{kind}.{key}", values)
            )
            for key, values in raw.items()
        }

    return BeforeValidator(check)


def _check_accounts(raw: object) -> object:
    return tuple(check_account(value) for value in _as_list("accounts", raw))


def _check_categories(raw: object) -> object:
    values = _as_list("charge_categories", raw)
    for value in values:
        if value not in CHARGE_CATEGORIES:
            raise RegistryError(
                f"charge category {_short(value)} does not exist",
                f"one of {', '.join(CHARGE_CATEGORIES)}",
                did_you_mean(str(value), CHARGE_CATEGORIES).strip(),
            )
    return tuple(values)


def _check_projects(raw: object) -> object:
    return tuple(check_text("a project", value, MAX_VALUE) for value in _as_list("projects", raw))


Patterns = tuple[str, ...]


class Conditions(BaseModel):
    """What a rule requires; a charge meets it if it meets every field that is not empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    accounts: Annotated[Patterns, BeforeValidator(_check_accounts)] = ()
    projects: Annotated[Patterns, BeforeValidator(_check_projects)] = ()
    regions: Annotated[Patterns, _patterns("regions")] = ()
    services: Annotated[Patterns, _patterns("services")] = ()
    resources: Annotated[Patterns, _patterns("resources")] = ()
    charge_categories: Annotated[Patterns, BeforeValidator(_check_categories)] = ()
    tags: Annotated[dict[str, Patterns], _patterns_by_key("tags")] = {}
    cost_categories: Annotated[dict[str, Patterns], _patterns_by_key("cost_categories")] = {}

    def requirements(self) -> Iterator[Requirement]:
        """Yield what is required, field by field."""
        for name, field in _FIELDS.items():
            patterns: Any = getattr(self, name)
            if isinstance(patterns, dict):
                for key in sorted(patterns):
                    yield Requirement(field, key, patterns[key])
            elif patterns:
                yield Requirement(field, "", patterns)


@dataclass(frozen=True)
class Requirement:
    """What a rule requires of one field of a charge: that it matches one of these patterns.

    `key`: the key of a tag or cost category; empty for other fields.
    """

    field: str
    key: str
    patterns: Patterns

    @property
    def in_words(self) -> str:
        """The requirement for people."""
        name = self.field.replace("_", " ") + (f" {self.key} =" if self.key else "")
        return f"{name} {' or '.join(self.patterns)}"

    def excludes(self, other: Requirement) -> bool:
        """Return whether no charge can meet both: a field has one value, and they share none."""
        if (self.field, self.key) != (other.field, other.key) or self.field in _SEVERAL_VALUES:
            return False
        every = (*self.patterns, *other.patterns)
        has_wildcard = any("*" in pattern for pattern in every)
        return not has_wildcard and not set(self.patterns) & set(other.patterns)

    def includes(self, other: Requirement) -> bool:
        """Return whether every charge that meets the other meets this."""
        if (self.field, self.key) != (other.field, other.key):
            return False
        return "*" in self.patterns or set(other.patterns) <= set(self.patterns)


_FIELDS = {
    "accounts": "account",
    "projects": "project",
    "regions": "region",
    "services": "service",
    "resources": "resource",
    "charge_categories": "charge_category",
    "tags": "tag",
    "cost_categories": "cost_category",
}
"""Names in tenants.yaml, each with the field of a charge that it compares."""

_SEVERAL_VALUES = frozenset({"service", "resource"})
"""Fields that compare two columns: name and code of the service, name and id of the resource."""


def can_both_match(first: Conditions, second: Conditions) -> bool:
    """Return whether a charge can meet both, as far as the fields can tell."""
    return not any(
        requirement.excludes(other)
        for requirement in first.requirements()
        for other in second.requirements()
    )


def covers(first: Conditions, second: Conditions) -> bool:
    """Return whether every charge that meets the second meets the first."""
    required = list(second.requirements())
    return all(
        any(requirement.includes(other) for other in required)
        for requirement in first.requirements()
    )
