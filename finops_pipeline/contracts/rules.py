"""The kinds of rules of conformance.

Put here: Rule (of a charge), SharedValue (of the charges of a key), ValueRule (of each distinct
value). Keep out: the rules (focus_rules.py), applying them (focus/conformance.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule of single charges.

    `section`: the column or attribute of FOCUS that states it, or `own` for ours. `broken`: SQL
    over a charge, true where it breaks the rule. `is_export_gap`: AWS documents that its FOCUS
    exports break it, so that there it is reported, but is no failure.
    """

    name: str
    section: str
    says: str
    broken: str
    is_export_gap: bool = False


@dataclass(frozen=True)
class SharedValue:
    """A rule that charges with the same `key` have the same `value`, where both are given."""

    name: str
    section: str
    key: str
    value: str
    is_export_gap: bool = False

    @property
    def says(self) -> str:
        """The rule as a sentence."""
        return f"a {self.key} has only one {self.value}"


@dataclass(frozen=True)
class ValueRule:
    """A rule of each distinct value of `column`, called `value` in `broken` (null is exempt)."""

    name: str
    section: str
    says: str
    column: str
    broken: str
    is_export_gap: bool = False
