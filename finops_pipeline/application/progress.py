"""What a run covers and reports: Months, Step, Report.

Put here: the range of a run and the steps that it reports. Keep out: the work itself
(ingest.py, landing.py), how a command or Dagster shows a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


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


class Stage(StrEnum):
    """The stages of a run; `ingest` is the run of a tenant as a whole."""

    INGEST = "ingest"
    LANDING = "landing"
    COSTS = "costs"
    COST_EXPLORER_DAYS = "cost_explorer_daily"
    WAREHOUSE = "warehouse"


class StepOutcome(StrEnum):
    """How a step ended."""

    LANDED = "landed"
    BUILT = "built"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    OLDER = "older"
    """An older delivery than the one that has landed; it was not taken."""
    LEFT_OUT = "left out"
    """Files that are not bills."""
    REQUESTS_SENT = "requests sent"
    """Paid requests were sent to Cost Explorer."""
    REFUSED = "refused"
    """An expected error; what was published stays."""
    CRASHED = "crashed"
    """A defect of finops_pipeline; what was published stays."""


FAILURES = (StepOutcome.REFUSED, StepOutcome.CRASHED)
"""Outcomes that make a run fail."""


@dataclass(frozen=True)
class Step:
    """One thing that was done, for progress and reports.

    `subject` is the source, project or tenant; `reason` says why a step failed, or what is to be
    noted of it. `is_retryable`: the same work may succeed if it is done again shortly.
    """

    stage: Stage
    subject: str
    month: str
    outcome: StepOutcome
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""
    is_retryable: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether this step makes its run fail."""
        return self.outcome in FAILURES


OnStep = Callable[[Step], None]


def silent(step: Step) -> None:
    """Report nothing."""


@dataclass
class Report:
    """All steps of a piece of work."""

    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> list[Step]:
        """Steps that were refused or crashed, with their reasons."""
        return [step for step in self.steps if step.has_failed]
