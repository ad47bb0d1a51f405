"""The words in which a rule of conformance is written.

Put here: Rule (asked of a charge), OneFor (asked of a key's charges), OfValue (asked of each
distinct value). Keep out: the rules (focus_rules.py), asking them (focus/conformance.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule that every charge keeps by itself.

    `section`: where FOCUS says so (its column or attribute), or `own` for ours. `broken`: SQL over
    a charge, true where it breaks the rule. `known_gap`: AWS documents that its FOCUS exports
    break it, so that on those it is told, and no failure.
    """

    name: str
    section: str
    says: str
    broken: str
    known_gap: bool = False


@dataclass(frozen=True)
class OneFor:
    """Charges that share `key` share `value` too (where both are given)."""

    name: str
    section: str
    key: str
    value: str
    known_gap: bool = False

    @property
    def says(self) -> str:
        """The rule in words."""
        return f"a {self.key} has one {self.value}"


@dataclass(frozen=True)
class OfValue:
    """A rule of each distinct value of `column`, called `value` in `broken` (null is not asked)."""

    name: str
    section: str
    says: str
    column: str
    broken: str
    known_gap: bool = False
