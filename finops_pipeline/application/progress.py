"""The months that a run covers and the steps that it reports.

Put here: the range of a run and the steps that it reports. Keep out: the work itself
(ingest.py, landing.py), how a command or Dagster shows a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Months:
    """A range of billing periods, both ends included; None leaves an end open."""

    first: str | None = None
    last: str | None = None

    def __contains__(self, month: object) -> bool:
        return (
            isinstance(month, str)
            and (self.first is None or self.first <= month)
            and (self.last is None or month <= self.last)
        )


class Stage(StrEnum):
    """The stages of a run; `ingest` stands for all of them together."""

    FOLDER = "folder"
    INGEST = "ingest"
    LANDING = "landing"
    COSTS = "costs"
    COST_EXPLORER_DAYS = "cost_explorer_daily"
    INVENTORY = "inventory"
    RESOURCES = "resources"
    CLOUDWATCH = "cloudwatch"
    RESOURCE_METRICS = "resource_metrics"
    WAREHOUSE = "warehouse"
    ALERTS = "alerts"


class StepOutcome(StrEnum):
    """How a step of a run ended; a step of landing has the value of its LandingOutcome."""

    LANDED = "landed"
    BUILT = "built"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    OLDER = "older"
    """The delivery is older than the one that has landed, so it was not landed."""
    LEFT_OUT = "left out"
    """Files that are not bills were ignored."""
    REQUESTS_SENT = "requests sent"
    """Paid requests were sent to Cost Explorer or CloudWatch."""
    SET_ASIDE = "set aside"
    """A file or link that cannot be used was moved away."""
    RESTORED = "restored"
    """A lost ledger was written again."""
    REFUSED = "refused"
    """An expected error occurred; what was published stays."""
    CRASHED = "crashed"
    """finops_pipeline has a defect; what was published stays."""


FAILURES = (StepOutcome.REFUSED, StepOutcome.CRASHED)
"""Outcomes that make a run fail."""


@dataclass(frozen=True)
class Step:
    """One piece of finished work, for progress and reports.

    `subject` is the source, project or tenant; `reason` explains a failure, or is a note on a
    success. `is_retryable`: the same work may succeed if it is repeated shortly. `stack`: that of a
    crash. `is_failed_check`: numbers that must be equal are not.
    """

    stage: Stage
    subject: str
    month: str
    outcome: StepOutcome
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""
    is_retryable: bool = False
    stack: str = ""
    is_failed_check: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether this step makes its run fail."""
        return self.outcome in FAILURES


OnStep = Callable[[Step], None]


def silent(step: Step) -> None:
    """Ignore a step."""


@dataclass
class Report:
    """All steps of a run."""

    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> list[Step]:
        """Steps that were refused or crashed, with their reasons."""
        return [step for step in self.steps if step.has_failed]


class Reporter:
    """Collects the steps of a run and passes each on at once."""

    def __init__(self, on_step: OnStep) -> None:
        self.report = Report()
        self._on_step = on_step

    def __call__(self, step: Step) -> None:
        """Add a step."""
        self.report.steps.append(step)
        self._on_step(step)
