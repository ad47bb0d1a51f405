"""What a piece of work covers and reports: Months, Step, Report.

Put here: the range of a run and the steps it reports. Keep out: the work itself, how a doorway
shows a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Months:
    """A range of billing periods, ends included; None is open."""

    first: str | None = None
    last: str | None = None

    def __contains__(self, month: object) -> bool:
        return (
            isinstance(month, str)
            and (self.first is None or self.first <= month)
            and (self.last is None or month <= self.last)
        )


@dataclass(frozen=True)
class Step:
    """One thing that was done, for progress and reports.

    `stage` is landing, costs or warehouse; `what` the source, project or tenant; `outcome`
    landed, built, unchanged, empty, older (not taken), or refused with the `reason`.
    """

    stage: str
    what: str
    month: str
    outcome: str
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""


OnStep = Callable[[Step], None]


def silent(step: Step) -> None:
    """Report nothing."""


@dataclass
class Report:
    """All steps of a piece of work."""

    steps: list[Step] = field(default_factory=list)

    @property
    def refused(self) -> list[Step]:
        """Steps that failed, with their reasons."""
        return [step for step in self.steps if step.outcome == "refused"]
