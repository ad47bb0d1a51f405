"""Claim: the statement that charges with certain properties belong to a project.

Put here: the conditions of one claim, its rules, and whether two claims can take the same charge.
Keep out: claims to whole accounts as users list them (model.py), rules between the claims of a
tenant (claim_conflicts.py), matching charges (focus/claim_matching.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.names import check_account

DEFAULT_PRIORITY = 100
ACCOUNT_PRIORITY = 1000
"""The priority of an entry of `accounts:`: such a claim comes after those with the default."""

Pairs = tuple[tuple[str, tuple[str, ...]], ...]
"""Keys, each with the values of which a charge needs one; sorted."""


def _check_texts(value: object, place: str) -> tuple[str, ...]:
    """Return one text or a list of texts as a sorted tuple.

    Raises:
        RegistryError: the list is empty, or a value is not text.
    """
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise RegistryError(
            f"{place} is {value!r}, so that no charge can match", "text or a list of texts"
        )
    for each in values:
        if not isinstance(each, str) or not each.strip():
            raise RegistryError(
                f"{place} is {each!r}, so that no charge can match",
                "text that is not empty",
                'Write it in quotes, for example "prod"',
            )
    return tuple(sorted(set(values)))


def _read_texts(value: object, info: ValidationInfo) -> tuple[str, ...]:
    return _check_texts(value, str(info.field_name))


def _read_accounts(value: object, info: ValidationInfo) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return _check_texts([check_account(each) for each in values], str(info.field_name))


def _read_pairs(value: object, info: ValidationInfo) -> Pairs:
    """Return a map of keys to values as sorted pairs.

    Raises:
        RegistryError: it is empty, or a key or value is not a text.
    """
    name = str(info.field_name)
    stored = value if isinstance(value, list | tuple) else ()
    items = list(value.items()) if isinstance(value, Mapping) else list(stored)
    keys = [item[0] for item in items if isinstance(item, list | tuple) and len(item) == 2]
    if not items or len(keys) < len(items) or not all(isinstance(k, str) and k for k in keys):
        raise RegistryError(
            f"{name} is {value!r}, so that no charge can match",
            "keys with values, such as {Environment: prod}",
        )
    return tuple(sorted((key, _check_texts(texts, f"{name}: {key}")) for key, texts in items))


Texts = Annotated[tuple[str, ...], BeforeValidator(_read_texts)]
KeysAndValues = Annotated[Pairs, BeforeValidator(_read_pairs)]


class Claim(BaseModel):
    """A claim takes the charges that meet all of its conditions, of which it has at least one.

    A charge has to match one value of each list, and for each tag and cost category one of its
    values. If a charge meets several claims, the one with the lowest priority number takes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    priority: int = Field(default=DEFAULT_PRIORITY, strict=True, ge=0, le=1_000_000)
    accounts: Annotated[tuple[str, ...], BeforeValidator(_read_accounts)] = ()
    regions: Texts = ()
    services: Texts = ()
    tags: KeysAndValues = ()
    cost_categories: KeysAndValues = ()
    from_day: date | None = Field(default=None, alias="from")
    to_day: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _check(self) -> Claim:
        if not self._conditions:
            raise RegistryError(
                "the claim has no condition",
                "at least one of accounts, regions, services, tags and cost_categories",
            )
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise RegistryError(
                f"the claim is from {self.from_day} to {self.to_day}, so that no charge can match",
                "'from' before 'to' ('to' is the first day no longer claimed)",
            )
        return self

    @property
    def _conditions(self) -> dict[str, tuple[Any, ...]]:
        names = ("accounts", "regions", "services", "tags", "cost_categories")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    @property
    def has_only_accounts(self) -> bool:
        """Whether only the account and the day decide which charges it takes."""
        return self._conditions.keys() == {"accounts"}

    def touches(self, first: date, end: date) -> bool:
        """Check whether the claim is valid on some day of [first, end)."""
        return (self.from_day or date.min) < end and first < (self.to_day or date.max)

    def may_meet(self, other: Claim) -> bool:
        """Check whether some charge might meet both claims; services are not compared.

        A charge has both a name and a code of its service, so two lists without a common text may
        mean the same service.
        """
        return (
            self.touches(other.from_day or date.min, other.to_day or date.max)
            and _share(self.accounts, other.accounts)
            and _share(self.regions, other.regions)
            and _share_values(self.tags, other.tags)
            and _share_values(self.cost_categories, other.cost_categories)
        )

    def may_share_negations(self, other: Claim) -> bool:
        """Check whether this claim may hold negations of usage that the other one takes.

        This is so if they share an account and this claim does not require a tag of resources,
        which negations lack (the keys of other tags have a prefix such as `accountTag/`).
        """
        has_resource_tag = any("/" not in key for key, _ in self.tags)
        return not has_resource_tag and _share(self.accounts, other.accounts)

    def conflicts_with(self, other: Claim) -> bool:
        """Check whether both have the same priority and can take the same charge."""
        is_same = self.priority == other.priority
        return is_same and self.may_meet(other) and _share(self.services, other.services)

    @property
    def in_words(self) -> str:
        """The conditions for messages: `tag Environment=prod, region eu-west-1 or eu-west-2`."""
        parts = [f"tag {key}={_either(values)}" for key, values in self.tags]
        parts += [f"cost category {key}={_either(values)}" for key, values in self.cost_categories]
        lists = {"account": self.accounts, "region": self.regions, "service": self.services}
        parts += [f"{name} {_either(values)}" for name, values in lists.items() if values]
        days = (("from", self.from_day), ("until", self.to_day))
        return ", ".join([*parts, *(f"{word} {day}" for word, day in days if day)])

    @property
    def declaration(self) -> dict[str, Any]:
        """The claim as an entry of `claims:` in tenants.yaml."""
        entry: dict[str, Any] = {"priority": self.priority}
        for name, values in self._conditions.items():
            is_map = name in ("tags", "cost_categories")
            entry[name] = {k: list(v) for k, v in values} if is_map else list(values)
        days = (("from", self.from_day), ("to", self.to_day))
        return entry | {name: day.isoformat() for name, day in days if day}

    def mark(self, first: date, end: date) -> str:
        """The claim within [first, end), as text that never changes: fingerprints contain it."""
        entry = self.declaration
        if not self.from_day or self.from_day <= first:
            entry.pop("from", None)
        if not self.to_day or self.to_day >= end:
            entry.pop("to", None)
        return json.dumps(entry, sort_keys=True)


def conflicting_claims(first: str, second: str, priority: int, release: str = "") -> RegistryError:
    """Return the error for two claims that can take the same charge.

    Args:
        first: one claim, with its project and conditions.
        second: the other one.
        release: the command that removes one of them, where it is stored.
    """
    cure = "Give one of them another priority (the lower number comes first), or conditions that"
    return RegistryError(
        f"{first} and {second} can take the same charge, and both have the priority {priority}",
        "one project for each charge",
        f"{cure} exclude each other{f', or release the first: {release}' if release else ''}",
    )


def _either(values: tuple[str, ...]) -> str:
    return " or ".join(values)


def _share(values: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Check whether two lists have a common value; an empty one allows every value."""
    return not values or not others or not set(values).isdisjoint(others)


def _share_values(pairs: Pairs, others: Pairs) -> bool:
    """Check whether a charge can have a value of both for every key that both name."""
    by_key = dict(others)
    return all(_share(values, by_key.get(key, ())) for key, values in pairs)
