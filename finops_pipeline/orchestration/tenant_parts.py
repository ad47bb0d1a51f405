"""What the assets share: a run is done tenant by tenant, and a failure stops no other tenant.

Put here: dividing a run among tenants, recording what is finished, failing at the end. Keep out:
the work of an asset (assets.py, collected_assets.py), what Dagster shows of it (shown_metadata.py).
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.orchestration.alert_runs import tell_after_run
from finops_pipeline.orchestration.partitions import TenantRequest, requests_by_tenant
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.step_failures import failure_of

GROUP = "finops"
OWNERS = ["team:finops"]

EXPORTS_POOL, INVENTORY_POOL, CLOUDWATCH_POOL = "exports", "inventory", "cloudwatch"
"""What Dagster limits across all runs, so that no service of AWS is asked by too many at once."""

FOLLOW_TAG = "finops/follow"
"""A run with this tag also builds what follows from what it lands or builds."""

RETRY_DELAY_SECONDS = 60
"""Delay before a run is retried, if every failed step is retryable (`Step.is_retryable`)."""

RETRIES = 3

DATA_VERSION = "dagster/data_version"
"""The tag in which Dagster keeps the version of a partition."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


@dataclass(frozen=True)
class TenantPart:
    """A tenant's part of a run; `follows`: see FOLLOW_TAG; `prefix`: that of the assets' keys."""

    installation: Installation
    request: TenantRequest
    follows: bool = False
    prefix: Sequence[str] = ()


Work = Callable[[TenantPart], Iterator[Event]]
"""The work of an asset for a tenant's part of a run; yields what is finished as soon as it is."""

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

    What is finished is recorded at once, so that a killed run keeps it, too.

    Raises:
        dagster.Failure: a step failed; Dagster may retry if every failed step is retryable.
    """
    installation = finops.open()
    follows = context.run.tags.get(FOLLOW_TAG) == "true"
    prefix = context.asset_key.path[:-1]
    failed: list[Step] = []
    for request in requests_by_tenant(context.partition_keys):
        of_tenant: list[Step] = []
        try:
            yield from work(TenantPart(installation, request, follows, prefix))
        except FailedSteps as error:
            of_tenant += error.steps
        except Exception as error:
            of_tenant.append(failed_step(error, Stage.INGEST, request.tenant))
        if follows:
            tell_after_run(context, installation, request.tenant, of_tenant)
        failed += of_tenant
    if failed:
        raise failure_of(failed)


def record_at_end(context: dg.AssetExecutionContext, events: Events) -> Events:
    """Let Dagster record what is finished; in a failed run, record it before the failure."""
    finished: list[dg.AssetMaterialization] = []
    try:
        finished.extend(events)
    except dg.Failure:
        yield from finished
        raise
    for event in finished:
        context.add_asset_metadata(event.metadata, partition_key=event.partition)
    yield dg.MaterializeResult()


def freshness_policy() -> dg.FreshnessPolicy:
    """Return after how long without any new partition Dagster warns: AWS delivers every day."""
    return dg.FreshnessPolicy.time_window(
        warn_window=timedelta(hours=30), fail_window=timedelta(hours=72)
    )


def retry_policy() -> dg.RetryPolicy:
    """Return how Dagster retries what failed for a reason that passes."""
    return dg.RetryPolicy(
        max_retries=RETRIES,
        delay=RETRY_DELAY_SECONDS,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


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
            f"{request.tenant}/{partition.name}".rstrip("/"),
            partition.month,
            StepOutcome.REFUSED,
            reason=missing,
        )
        for partition in request.partitions
        if (partition.name, partition.month) not in done and not explained & {partition.month, ""}
    ]
    if failed:
        raise FailedSteps(failed)
