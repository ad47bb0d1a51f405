"""How a run of Dagster fails: the cause and the cure first, and no stack for a refusal.

Put here: the failure for failed steps. Keep out: collecting these steps (tenant_parts.py).
"""

from __future__ import annotations

import sys

import dagster as dg

from finops_pipeline.application.progress import Step, StepOutcome


class Refused(dg.Failure):
    """The failure of a run for expected reasons, which Dagster shows without a stack.

    Dagster adds the stack of every error as `traceback` reads it, so the limit of stacks is 0 from
    here until its text has been read, which `traceback` does next, or until it is gone.
    """

    def __init__(self, reasons: str, is_retryable: bool) -> None:
        super().__init__(reasons, allow_retries=is_retryable)
        self._has_limit = not hasattr(sys, "tracebacklimit")
        if self._has_limit:
            sys.tracebacklimit = 0

    def __str__(self) -> str:
        """Return the reasons, and show stacks again."""
        self._end_limit()
        return super().__str__()

    def __del__(self) -> None:
        """Show stacks again."""
        self._end_limit()

    def _end_limit(self) -> None:
        if self._has_limit:
            self._has_limit = False
            vars(sys).pop("tracebacklimit", None)


Refused.__module__ = "builtins"  # else the first line that Dagster shows would be a module path


def failure_of(failed: list[Step]) -> dg.Failure:
    """Return the failure of a run: first the cause of the first step, and its cure."""
    reasons = [f"{step.subject} {step.month}".rstrip() + f": {step.reason}" for step in failed]
    crashed = [step for step in failed if step.outcome is StepOutcome.CRASHED]
    if not crashed:
        return Refused("\n".join(reasons), all(step.is_retryable for step in failed))
    stacks = "\n\n".join(f"```\n{step.stack}\n```" for step in crashed if step.stack)
    metadata = {"traceback": dg.MetadataValue.md(stacks)} if stacks else {}
    return dg.Failure("\n".join(reasons), metadata=metadata, allow_retries=False)
