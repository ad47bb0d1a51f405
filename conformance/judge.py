"""What the validator found against what is known: waivers, each with its reason.

Put here: reading waivers.toml and deciding. Keep out: running the validator (validate.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAIVERS = Path(__file__).with_name("waivers.toml")
MODELS = ("published", "mended")
"""Official rules as they are published, and with the conditions of their own words (mend.py)."""


@dataclass(frozen=True)
class Waiver:
    """A rule that may fail under a model: in which forms (none named: in all), and why."""

    model: str
    rule: str
    why: str
    forms: tuple[str, ...] = ()

    def covers(self, failure: Failure) -> bool:
        """Whether it is for that rule, under that model, in bills of that form."""
        same = (self.model, self.rule) == (failure.model, failure.rule)
        return same and (not self.forms or failure.form in self.forms)


@dataclass(frozen=True)
class Failure:
    """A leaf rule that failed in a form: rows and examples as the validator counts them."""

    model: str
    form: str
    rule: str
    says: str
    rows: int
    examples: list[dict[str, Any]]


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """The waivers of a file.

    Raises:
        ValueError: an entry without its reason, or a rule waived twice for a form.
    """
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    found = [
        Waiver(model, entry["rule"], entry.get("why", ""), tuple(entry.get("forms", ())))
        for model in MODELS
        for entry in told.get(model, ())
    ]
    seen: set[tuple[str, str, str]] = set()
    for waiver in found:
        keys = {(waiver.model, waiver.rule, form) for form in waiver.forms or ("",)}
        if not waiver.why or keys & seen:
            raise ValueError(f"{path.name}: {waiver.rule} has no reason or is there twice")
        seen |= keys
    return found


def failures(model: str, form: str, found: dict[str, Any]) -> Iterator[Failure]:
    """Each failed leaf rule of a form's file; a file that cannot be read is a failure too.

    Args:
        found: what validate.py says of the file.
    """
    if "error" in found:
        yield Failure(model, form, "unreadable", found["error"], found["rows"], [])
    for rule, said in found.get("failures", {}).items():
        yield Failure(model, form, rule, said["says"], said["rows"], said["examples"])


def reason(failure: Failure, waivers: Iterable[Waiver]) -> str:
    """Why the failure may be; empty: it may not."""
    return next((waiver.why for waiver in waivers if waiver.covers(failure)), "")


def idle(waivers: Iterable[Waiver], told: Iterable[Failure], forms: Iterable[str]) -> list[str]:
    """Waivers that no rule needed, in words: the validator or our output has changed."""
    failed = {(failure.model, failure.rule, failure.form) for failure in told}
    words = []
    for waiver in waivers:
        asked = waiver.forms or tuple(forms)
        quiet = [form for form in asked if (waiver.model, waiver.rule, form) not in failed]
        if quiet:
            words.append(f"{waiver.rule} ({waiver.model}) did not fail in {', '.join(quiet)}")
    return words
