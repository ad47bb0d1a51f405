"""Failures that the validator reports, and the waivers, each with a reason, that accept them.

Put here: reading waivers.toml and finding the waiver of a failure. Keep out: running the
validator (validate.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAIVERS = Path(__file__).with_name("waivers.toml")
MODELS = ("published", "corrected")
"""Official rules as published, and with the conditions that their text states
(corrected_rules.py)."""


@dataclass(frozen=True)
class Waiver:
    """A rule that may fail under a model, why, and in which forms (empty: in all)."""

    model: str
    rule: str
    why: str
    forms: tuple[str, ...] = ()

    def covers(self, failure: Failure) -> bool:
        """Whether it accepts that rule's failure under that model in bills of that form."""
        same = (self.model, self.rule) == (failure.model, failure.rule)
        return same and (not self.forms or failure.form in self.forms)


@dataclass(frozen=True)
class Failure:
    """A leaf rule that failed in a form: rows and examples as the validator counts them."""

    model: str
    form: str
    rule: str
    requirement: str
    rows: int
    examples: list[dict[str, Any]]


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """Read the waivers of a file.

    Raises:
        ValueError: an entry has no reason, or a rule is waived twice for a form.
    """
    declared = tomllib.loads(path.read_text(encoding="utf-8"))
    waivers = [
        Waiver(model, entry["rule"], entry.get("why", ""), tuple(entry.get("forms", ())))
        for model in MODELS
        for entry in declared.get(model, ())
    ]
    seen: set[tuple[str, str, str]] = set()
    for waiver in waivers:
        keys = {(waiver.model, waiver.rule, form) for form in waiver.forms or ("",)}
        if not waiver.why or keys & seen:
            raise ValueError(f"{path.name}: {waiver.rule} has no reason or is listed twice")
        seen |= keys
    return waivers


def read_failures(model: str, form: str, result: dict[str, Any]) -> Iterator[Failure]:
    """Yield each failed leaf rule of a form's file; a file that cannot be read is a failure too.

    Args:
        result: the entry of the file in the output of validate.py.
    """
    if "error" in result:
        yield Failure(model, form, "unreadable", result["error"], result["rows"], [])
    for rule, failure in result.get("failures", {}).items():
        details = (failure["requirement"], failure["rows"], failure["examples"])
        yield Failure(model, form, rule, *details)


def find_reason(failure: Failure, waivers: Iterable[Waiver]) -> str:
    """Return why the failure is accepted; empty when no waiver accepts it."""
    return next((waiver.why for waiver in waivers if waiver.covers(failure)), "")


def list_unused_waivers(
    waivers: Iterable[Waiver], failures: Iterable[Failure], forms: Iterable[str]
) -> list[str]:
    """Describe the waivers whose rules did not fail: the validator or our output has changed."""
    failed = {(failure.model, failure.rule, failure.form) for failure in failures}
    descriptions = []
    for waiver in waivers:
        waived_forms = waiver.forms or tuple(forms)
        passing = [form for form in waived_forms if (waiver.model, waiver.rule, form) not in failed]
        if passing:
            descriptions.append(
                f"{waiver.rule} ({waiver.model}) did not fail in {', '.join(passing)}"
            )
    return descriptions
