"""What the validator found against what is known: waivers, each with its reason.

Put here: reading waivers.toml and deciding. Keep out: running the validator (validate.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

WAIVERS = Path(__file__).with_name("waivers.toml")


@dataclass(frozen=True)
class Waiver:
    """A rule that may fail: in which forms (none named: in all), why, and what still may not."""

    rule: str
    why: str
    forms: tuple[str, ...] = ()
    really: str = ""

    def covers(self, form: str, rule: str) -> bool:
        """Whether it waives the rule in bills of that form."""
        return rule == self.rule and (not self.forms or form in self.forms)


@dataclass(frozen=True)
class Failure:
    """A leaf rule that failed in a form: rows and examples as the validator counts them.

    `why` is the waiver's reason; empty: the failure counts.
    """

    form: str
    rule: str
    says: str
    rows: int
    examples: list[dict[str, Any]]
    why: str = ""


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """The waivers of a file.

    Raises:
        ValueError: an entry without its reason, or a rule waived twice for a form.
    """
    told = tomllib.loads(path.read_text(encoding="utf-8"))["waiver"]
    found = [Waiver(**{**entry, "forms": tuple(entry.get("forms", ()))}) for entry in told]
    seen: set[tuple[str, str]] = set()
    for waiver in found:
        keys = {(waiver.rule, form) for form in waiver.forms or ("",)}
        if not waiver.why or keys & seen:
            raise ValueError(f"{path.name}: {waiver.rule} has no reason or is there twice")
        seen |= keys
    return found


def failures(
    form: str, file: Path, found: dict[str, Any], waivers: Iterable[Waiver]
) -> Iterator[Failure]:
    """Each failed leaf rule of a file, waived or not, and rules really broken under a waiver.

    Args:
        found: what validate.py says of the file.
    """
    waivers = list(waivers)
    if "error" in found:
        yield Failure(form, "unreadable", found["error"], found["rows"], [])
        return
    for rule, said in found["failures"].items():
        why = next((w.why for w in waivers if w.covers(form, rule)), "")
        yield Failure(form, rule, said["says"], said["rows"], said["examples"], why)
    for waiver in waivers:
        if waiver.really and waiver.covers(form, waiver.rule):
            yield from _really_broken(form, file, waiver)


def _really_broken(form: str, file: Path, waiver: Waiver) -> Iterator[Failure]:
    with duckdb.connect(":memory:") as connection:
        broken = connection.read_parquet(str(file)).filter(waiver.really)
        rows = len(broken)
        if rows:
            values = broken.limit(1).fetchone() or ()
            example = dict(zip(broken.columns, map(str, values), strict=True))
            says = f"broken where the waiver says it may not be: {waiver.really}"
            yield Failure(form, waiver.rule, says, rows, [example])


def stale(waivers: Iterable[Waiver], fired: Iterable[Failure], forms: Iterable[str]) -> list[str]:
    """Waivers that no rule needed, in words: the validator or our output has changed."""
    failed = {(failure.form, failure.rule) for failure in fired}
    told = []
    for waiver in waivers:
        asked = [form for form in forms if waiver.covers(form, waiver.rule)]
        idle = [form for form in asked if (form, waiver.rule) not in failed]
        if idle:
            told.append(f"{waiver.rule} did not fail in {', '.join(idle)}: take that waiver out")
    return told
