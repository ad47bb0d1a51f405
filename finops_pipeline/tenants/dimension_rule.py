"""One rule of a dimension: its conditions, its days and the value that it gives.

Put here: the rule and what makes it valid by itself. Keep out: rules between rules
(dimensions.py), conditions (rule_conditions.py).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    model_validator,
)

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.months import end_day, first_day
from finops_pipeline.tenants.names import check_name
from finops_pipeline.tenants.rule_conditions import (
    MAX_KEY,
    MAX_VALUE,
    Conditions,
    check_text,
    covers,
)

_VALUE_FROM = re.compile(r"(tag|cost_category) (\S.*)")


class Rule(BaseModel):
    """A rule gives the charges that meet its conditions a value in one dimension.

    The value is literal, or the charge's own value of a tag or cost category (`value_from`), which
    a mapping may normalize. `version` is the version of the section since which the rule does what
    it does now, `declared_on` the day on which that version was declared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    name: str
    dimension: str
    value: Annotated[str, BeforeValidator(lambda raw: check_text("value", raw, MAX_VALUE))] = ""
    value_from: Annotated[
        str, BeforeValidator(lambda raw: check_text("value_from", raw, MAX_KEY + 20))
    ] = ""
    mapping: str = ""
    when: Conditions = Field(default_factory=Conditions)
    priority: Annotated[int | None, Field(ge=1, le=1_000_000, strict=True)] = None
    from_day: date | None = Field(default=None, alias="from")
    to_day: date | None = Field(default=None, alias="to")
    version: int = 0
    declared_on: date | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _name_in_errors(cls, raw: Any, handler: ModelWrapValidatorHandler[Rule]) -> Rule:
        """Check the name first, so that every message says which rule it is about."""
        if not isinstance(raw, dict) or "name" not in raw:
            return handler(raw)
        name = check_name("rule", raw["name"])
        try:
            return handler(raw)
        except RegistryError as error:
            place = f"dimensions: rule {name!r}"
            if error.found.startswith(place):
                raise
            raise RegistryError(f"{place}: {error.found}", error.expected, error.cure) from error

    @model_validator(mode="after")
    def _check_value(self) -> Rule:
        if bool(self.value) == bool(self.value_from):
            raise self.error(
                "has both value and value_from" if self.value else "has no value",
                "one of value: TEXT, value_from: tag KEY, value_from: cost_category KEY",
            )
        if self.value_from and not _VALUE_FROM.fullmatch(self.value_from):
            raise self.error(f"has value_from {self.value_from!r}", "tag KEY or cost_category KEY")
        if self.mapping and self.value:
            raise self.error(
                "has both a mapping and a literal value", "a mapping only together with value_from"
            )
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise self.error(
                f"is valid from {self.from_day} to {self.to_day}, so that no charge can match",
                "'from' before 'to' ('to' is the first day on which it is no longer valid)",
            )
        return self

    def error(self, found: str, expected: str = "", cure: str = "") -> RegistryError:
        """Return an error that names the rule."""
        return RegistryError(f"dimensions: rule {self.name!r} {found}", expected, cure)

    @property
    def source_of_value(self) -> tuple[str, str] | None:
        """Where the value comes from: `tag` or `cost_category`, and its key; None if literal."""
        match = _VALUE_FROM.fullmatch(self.value_from)
        return (match[1], match[2]) if match else None

    @property
    def given_value(self) -> str:
        """The value that it gives, for people: the literal one, or `tag team (mapping teams)`."""
        return self.value or self.value_from + (
            f" (mapping {self.mapping})" if self.mapping else ""
        )

    @property
    def conditions_in_words(self) -> str:
        """What it requires of a charge, for people; a value from a tag requires the tag."""
        own = [requirement.in_words for requirement in self.when.requirements()]
        own += [f"with {self.value_from}"] if self.value_from else []
        return ", ".join(own) or "always"

    @property
    def days(self) -> str:
        """The days on which it is valid, for people: `always`, `from 2026-10-01`."""
        ends = (("from", self.from_day), ("until", self.to_day))
        return " ".join(f"{word} {day}" for word, day in ends if day) or "always"

    def is_valid_in(self, month: str) -> bool:
        """Return whether it is valid on some day of a billing period."""
        begins_before_end = not self.from_day or self.from_day < end_day(month)
        return begins_before_end and (not self.to_day or self.to_day > first_day(month))

    def shares_days(self, other: Rule) -> bool:
        """Return whether both are valid on a common day."""
        return (self.from_day or date.min) < (other.to_day or date.max) and (
            other.from_day or date.min
        ) < (self.to_day or date.max)

    def precludes(self, later: Rule) -> bool:
        """Return whether a later rule can never match because this one takes all its charges."""
        takes_all = not self.value_from or self.value_from == later.value_from
        covers_days = (self.from_day or date.min) <= (later.from_day or date.min) and (
            later.to_day or date.max
        ) <= (self.to_day or date.max)
        return takes_all and covers_days and covers(self.when, later.when)
