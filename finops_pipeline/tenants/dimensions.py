"""Dimensions of a tenant's costs, and the rules that give each charge its values.

Put here: the `dimensions` section of tenants.yaml as classes, and the rules between its parts. Keep
out: one rule (dimension_rule.py), versions (dimension_changes.py), matching charges
(marts/sql/allocations.sql).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    model_validator,
)

from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.tenants.dimension_rule import Rule
from finops_pipeline.tenants.rule_conditions import (
    MAX_KEY,
    MAX_VALUE,
    can_both_match,
    check_text,
)

OF_PROJECT = ("environment", "business_unit")
"""Dimensions in which a charge that no rule matches gets the label of its project."""

_DIMENSION = re.compile(r"[a-z][a-z0-9_-]{0,38}[a-z0-9]")
_MAX_DIMENSIONS = 50
_MAX_RULES = 1000
_MAX_SPELLINGS = 10_000


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Dimension(_Model):
    """A declared dimension, such as team."""

    name: str
    display_name: Annotated[
        str, BeforeValidator(lambda raw: check_text("display_name", raw, MAX_VALUE))
    ] = ""

    @model_validator(mode="after")
    def _check_name(self) -> Dimension:
        if not _DIMENSION.fullmatch(self.name):
            raise RegistryError(
                f"dimension name {self.name!r} cannot be used",
                "2 to 40 characters from a-z, 0-9, '_' and '-', starting with a letter",
                "Choose such a name; free text belongs in display_name",
            )
        return self


def fold(key: str) -> str:
    """Return a tag key in lower case without `-`, `_` and spaces, to compare spellings."""
    return re.sub(r"[-_ ]", "", key.lower())


Spellings = dict[str, tuple[str, ...]]
"""Maps a text to its other spellings."""


def _spellings(kind: str, longest: int) -> BeforeValidator:
    """Return a validator of spellings: each text and its other spellings, one or a list."""

    def check(raw: object) -> object:
        if not isinstance(raw, dict):
            raise RegistryError(
                f"dimensions: {kind} is not a map",
                f"texts with their spellings, such as {kind}: {{cost_center: [CostCenter]}}",
            )
        if sum(len(v) if isinstance(v, list | tuple) else 1 for v in raw.values()) > _MAX_SPELLINGS:
            raise RegistryError(
                f"dimensions: {kind} has too many spellings", f"up to {_MAX_SPELLINGS:,}"
            )
        return {
            check_text(f"dimensions: a text of {kind}", text, longest): tuple(
                check_text(f"dimensions: a spelling in {kind}.{text}", spelling, longest)
                for spelling in (each if isinstance(each, list | tuple) else [each])
            )
            for text, each in raw.items()
        }

    return BeforeValidator(check)


class Dimensions(_Model):
    """The section `dimensions` of a tenant: declared as a whole, numbered by `version`."""

    names: tuple[Dimension, ...] = ()
    tag_keys: Annotated[Spellings, _spellings("tag_keys", MAX_KEY)] = {}
    mappings: dict[str, Annotated[Spellings, _spellings("mappings", MAX_VALUE)]] = {}
    rules: tuple[Rule, ...] = ()
    version: int = 0

    @model_validator(mode="before")
    @classmethod
    def _normalize(cls, raw: Any) -> Any:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            return raw
        fields = {name: value for name, value in raw.items() if value is not None}
        names = fields.get("names", ())
        if isinstance(names, list | tuple):
            fields["names"] = [{"name": n} if isinstance(n, str) else n for n in names]
        for kind, limit in (("names", _MAX_DIMENSIONS), ("rules", _MAX_RULES)):
            if isinstance(fields.get(kind), list | tuple) and len(fields[kind]) > limit:
                raise RegistryError(f"dimensions: {len(fields[kind]):,} {kind}", f"up to {limit:,}")
        return fields

    @model_validator(mode="after")
    def _check_parts(self) -> Dimensions:
        _check_names(self)
        _check_spellings("tag_keys", self.tag_keys, ignores_separators=True)
        for name, mapping in self.mappings.items():
            _check_spellings(f"mappings.{name}", mapping, ignores_separators=False)
        for dimension in self.names:
            rules = [rule for rule in self.rules if rule.dimension == dimension.name]
            _check_order([self._with_declared_key(rule) for rule in rules])
        return self

    def _with_declared_key(self, rule: Rule) -> Rule:
        """Return the rule with the declared key in place of another spelling of it."""
        source = rule.source_of_value
        key = self.tag_key(source[1]) if source and source[0] == "tag" else None
        return rule.model_copy(update={"value_from": f"tag {key}"}) if key else rule

    def __bool__(self) -> bool:
        """Return whether anything is declared."""
        return bool(self.names or self.tag_keys or self.mappings)

    @property
    def rules_in_order(self) -> tuple[Rule, ...]:
        """The rules in the order in which they are tried: by priority, or as declared."""
        numbered = enumerate(self.rules)
        return tuple(
            r for _, r in sorted(numbered, key=lambda each: (each[1].priority or 0, each[0]))
        )

    def tag_key(self, key: str) -> str | None:
        """Return the declared key of which `key` is a spelling, if there is one."""
        folded = fold(key)
        for text, spellings in self.tag_keys.items():
            if folded in {fold(text), *map(fold, spellings)}:
                return text
        return None

    def definition(self, rule: Rule) -> str:
        """Return everything that decides what a rule does, as stable text."""
        keys = [r.key for r in rule.when.requirements() if r.field == "tag"]
        source = rule.source_of_value
        keys += [source[1]] if source and source[0] == "tag" else []
        texts = {key: self.tag_key(key) for key in keys}
        parts = {
            "rule": rule.model_dump(
                mode="json", exclude={"version", "declared_on", "priority"}, exclude_defaults=True
            ),
            "mapping": self.mappings.get(rule.mapping, {}),
            "keys": {k: [text, *self.tag_keys[text]] for k, text in texts.items() if text},
        }
        return json.dumps(parts, sort_keys=True)

    def of_month(self, month: str) -> str:
        """Return everything that decides the values of charges of a month, for fingerprints."""
        rules = [
            (rule.version, self.definition(rule))
            for rule in self.rules_in_order
            if rule.is_valid_in(month)
        ]
        return json.dumps([[dimension.name for dimension in self.names], rules])


def _check_names(section: Dimensions) -> None:
    folded = [fold(dimension.name) for dimension in section.names]
    for dimension in section.names:
        if folded.count(fold(dimension.name)) > 1:
            raise RegistryError(
                f"dimensions: dimension {dimension.name} is declared twice",
                "names that differ in more than case, '-' and '_'",
            )
    rule_names = [rule.name for rule in section.rules]
    declared_names = [dimension.name for dimension in section.names]
    for rule in section.rules:
        if rule_names.count(rule.name) > 1:
            raise rule.error("is declared twice", "each name once", "Rename one of them")
        if rule.dimension not in declared_names:
            raise rule.error(
                f"gives a value to dimension {rule.dimension!r}, which is not declared",
                f"one of: {', '.join(declared_names) or '(none declared)'}",
                did_you_mean(rule.dimension, declared_names)
                + "Declare it under names, or correct the rule",
            )
        if rule.mapping and rule.mapping not in section.mappings:
            raise rule.error(
                f"uses the mapping {rule.mapping!r}, which is not declared",
                f"one of: {', '.join(section.mappings) or '(none declared)'}",
                did_you_mean(rule.mapping, section.mappings)
                + "Declare it under mappings, or correct the rule",
            )


def _check_spellings(kind: str, spellings: Spellings, *, ignores_separators: bool) -> None:
    """Check that no text is a spelling of two others."""
    owners: dict[str, str] = {}
    for text, others in spellings.items():
        for spelling in (text, *others):
            folded = fold(spelling) if ignores_separators else spelling.strip().lower()
            if owners.setdefault(folded, text) != text:
                raise RegistryError(
                    f"dimensions: {kind}: {spelling!r} is a spelling of {owners[folded]!r} and of"
                    f" {text!r}",
                    "each spelling once"
                    + (
                        "; case, '-', '_' and spaces are ignored"
                        if ignores_separators
                        else "; case is ignored"
                    ),
                )


def _check_order(rules: list[Rule]) -> None:
    """Check that the order of the rules of a dimension is defined and lets each of them match."""
    with_priority = [rule for rule in rules if rule.priority is not None]
    if with_priority and len(with_priority) < len(rules):
        other = next(rule for rule in rules if rule.priority is None)
        raise other.error(
            f"has no priority, but rule {with_priority[0].name!r} of the same dimension has one",
            "a priority for all rules of a dimension, or for none: then their order counts",
        )
    for first, second in combinations(rules, 2):
        is_tie = first.priority is not None and first.priority == second.priority
        if is_tie and first.shares_days(second) and can_both_match(first.when, second.when):
            raise second.error(
                f"has the same priority ({second.priority}) as rule {first.name!r} of the same"
                " dimension, and both can match the same charge",
                "different priorities; the lower number is tried first",
            )
    for earlier, later in _in_turn(rules):
        if earlier.precludes(later):
            raise later.error(
                f"cannot match: rule {earlier.name!r}, which is tried before it, takes all of its"
                " charges",
                "the rule with more conditions first",
                f"Move it before {earlier.name!r}, or leave it out",
            )


def _in_turn(rules: list[Rule]) -> Iterator[tuple[Rule, Rule]]:
    yield from combinations(sorted(rules, key=lambda rule: rule.priority or 0), 2)


def export_dimensions(section: Dimensions) -> dict[str, Any]:
    """Return the section as plain data, as tenants.yaml has it, with the versions of rules."""
    fields: dict[str, Any] = section.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return fields
