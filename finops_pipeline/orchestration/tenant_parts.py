"""What the assets share: a run is done tenant by tenant, and a failure stops no other tenant.

Put here: dividing a run among tenants, recording what is finished, failing at the end. Keep out:
the work of an asset (assets.py, collected_assets.py).
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.orchestration.partitions import TenantRequest, requests_by_tenant
from finops_pipeline.orchestration.resources import InstallationResource

GROUP = "finops"

RETRY_DELAY_SECONDS = 60
"""Delay before a run is retried, if every failed step is retryable (`Step.is_retryable`)."""

Finish = Callable[[str, dict[str, Any]], None]
"""Records a finished partition: its key and its metadata."""

Work = Callable[[Finish, Installation, TenantRequest], None]
"""The work of an asset for one tenant's part of a run."""

Events = Iterator[Any]
"""What the body of an asset yields to Dagster."""


class FailedSteps(Exception):
    """A tenant's part of a run failed; raised after its successes are recorded in Dagster."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        super().__init__("; ".join(step.reason for step in steps))


def do_tenant_by_tenant(
    context: dg.AssetExecutionContext, finops: InstallationResource, work: Work
) -> Events:
    """Do each tenant's part; a failure stops no other tenant, and fails the run at the end.

    What is finished by then is materialized, so that what depends on it is built. In a run without
    a failure, Dagster itself materializes every partition.

    Raises:
        dagster.Failure: a step failed; Dagster may retry if every failed step is retryable.
    """
    installation = finops.open()
    failed: list[Step] = []
    finished: dict[str, dict[str, Any]] = {}
    for request in requests_by_tenant(context.partition_keys):
        try:
            work(finished.__setitem__, installation, request)
        except FailedSteps as error:
            failed += error.steps
        except Exception as error:
            failed.append(failed_step(error, Stage.INGEST, request.tenant))
    if failed:
        for key, metadata in finished.items():
            yield dg.AssetMaterialization(context.asset_key, metadata=metadata, partition=key)
        reasons = [f"{step.subject} {step.month}".rstrip() + f": {step.reason}" for step in failed]
        raise dg.Failure(
            "\n".join(reasons), allow_retries=all(step.is_retryable for step in failed)
        )
    for key, metadata in finished.items():
        context.add_asset_metadata(metadata, partition_key=key)


def retry_policy() -> dg.RetryPolicy:
    """Return how Dagster retries what failed for a reason that passes."""
    return dg.RetryPolicy(max_retries=2, delay=RETRY_DELAY_SECONDS, backoff=dg.Backoff.EXPONENTIAL)


def raise_failures(
    request: TenantRequest, steps: list[Step], done: set[tuple[str, str]], missing: str
) -> None:
    """Raise for failed steps, and for partitions that are neither done nor explained by one.

    Args:
        done: (name, month) of each finished partition.
        missing: the reason reported for the others.

    Raises:
        FailedSteps: there is at least one such step or partition.
    """
    failed = [step for step in steps if step.has_failed]
    explained = {step.month for step in failed}
    failed += [
        Step(
            Stage.INGEST,
            f"{request.tenant}/{partition.name}",
            partition.month,
            StepOutcome.REFUSED,
            reason=missing,
        )
        for partition in request.partitions
        if (partition.name, partition.month) not in done and not explained & {partition.month, ""}
    ]
    if failed:
        raise FailedSteps(failed)
