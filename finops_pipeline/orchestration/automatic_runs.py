"""Automatic runs: the sensor that looks for what is due, its jobs, and the daily collection.

Put here: jobs, and turning what is due into requests for runs. Keep out: deciding what is due
(application/watch_round.py), reloading a code location (code_location.py), showing what others did
(recording.py).

The sensor's cursor has the tenant to begin with and the number of the last round whose requests
Dagster has accepted: it stores the cursor after it has created the runs, so a killed daemon repeats
the round.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.tenant_due import Work, WorkKind
from finops_pipeline.application.watch_round import RoundStart, take_round
from finops_pipeline.errors import counted
from finops_pipeline.orchestration.code_location import CodeLocation
from finops_pipeline.orchestration.orphaned_runs import busy_tenants
from finops_pipeline.orchestration.partitions import Partitions, key, range_tags
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.shards import Shard
from finops_pipeline.orchestration.tenant_parts import FOLLOW_TAG
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.model import SourceKind, Tenant

JOBS = {WorkKind.LAND: "land", WorkKind.BUILD: "build", WorkKind.REFRESH: "refresh"}
"""The name of the job for each kind of work."""

COLLECT_JOB = "collect"
"""Name of the job that asks for resources and metrics."""

ASKED_DAILY = frozenset({SourceKind.INVENTORY_API, SourceKind.CLOUDWATCH})

BUCKET_TAG, REASON_TAG = "finops/bucket", "finops/reason"

_LISTED = 20


@dataclass(frozen=True)
class Cursor:
    """Where the next round begins, and what has been confirmed.

    `shown`: the mark of the partitions that the webserver was last told of.
    """

    tenant: str = ""
    confirmed: int = 0
    shown: str = ""

    @staticmethod
    def parse(text: str | None) -> "Cursor":
        """Parse a cursor; one that was written by something else counts as none."""
        try:
            return Cursor(**json.loads(text)) if text else Cursor()
        except (ValueError, TypeError):
            return Cursor()

    def text(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))


def automatic_jobs(shard: Shard) -> list[Any]:
    """Return a job for each kind of work, and the one that collects from AWS."""
    jobs = [
        dg.define_asset_job(
            f"{name}{shard.suffix}",
            selection=[dg.AssetKey([*shard.prefix, kind.value])],
            description=f"Materializes {kind.value}, and with the tag {FOLLOW_TAG} what follows.",
        )
        for kind, name in JOBS.items()
    ]
    collected = [dg.AssetKey([*shard.prefix, name]) for name in ("resources", "resource_metrics")]
    about = "Asks AWS for a tenant's resources and their metrics."
    collect = dg.define_asset_job(
        f"{COLLECT_JOB}{shard.suffix}", selection=collected, description=about
    )
    return [*jobs, collect]


def watching_sensor(
    settings: Settings, parts: Partitions, jobs: Sequence[Any]
) -> dg.SensorDefinition:
    """Return the sensor that starts a run for each tenant for which something is due."""

    @dg.sensor(
        name=f"watch_tenants{parts.shard.suffix}",
        jobs=jobs,
        minimum_interval_seconds=settings.watch_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Looks for new deliveries and changed declarations, and starts one run for each tenant"
            " that has any. A source that cannot be read is named and stops no other."
        ),
    )
    def watch_tenants(
        context: dg.SensorEvaluationContext, finops: InstallationResource
    ) -> dg.SensorResult:
        return watch(context, finops.open(), parts)

    return watch_tenants


def watch(
    context: dg.SensorEvaluationContext, installation: Installation, parts: Partitions
) -> dg.SensorResult:
    """Take a round over the tenants, and request what is due.

    If this process does not have the partitions of a request yet, the round is not confirmed, so
    that the request is made again once the code location has been loaded.
    """
    cursor = Cursor.parse(context.cursor)
    tenants = parts.shard.of(installation.registry.tenants())
    start = RoundStart(
        cursor.tenant, cursor.confirmed, busy_tenants(context.instance, installation)
    )
    found = take_round(installation, tenants, start)
    requests = [request for work in found.works if (request := _request(work, parts))]
    is_confirmed = len(requests) == len(found.works)
    location = CodeLocation(installation, parts)
    shown, note = location.show(tenants, cursor.shown)
    after = Cursor(found.next_tenant, cursor.confirmed + is_confirmed, shown)
    for failure in found.failures[:_LISTED]:
        context.log.warning(failure)
    notes = [
        note,
        "" if is_confirmed else "partitions of new months or names are loaded first",
        "" if found.is_whole else f"the next look begins with {found.next_tenant}",
        f"{counted(len(found.failures), 'source')} cannot be read: {found.failures[0]}"
        if found.failures
        else "",
    ]
    said = "; ".join(filter(None, notes))
    quiet = f"{counted(found.looks, 'look')} at {counted(found.examined, 'tenant')}, nothing due"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(filter(None, [quiet, said])),
        cursor=after.text(),
    )


def _request(work: Work, parts: Partitions) -> dg.RunRequest | None:
    """Return the request for a run; None if a partition of it is not loaded yet."""
    names = [n if work.kind is WorkKind.REFRESH else f"{work.tenant}/{n}" for n in work.names]
    first, last = work.months
    if not all(parts.has(work.kind.value, first, name) for name in names):
        return None
    tags = range_tags(key(first, names[0]), key(last, names[1]), work.tenant)
    tags |= {FOLLOW_TAG: "true", REASON_TAG: work.reason[:250]}
    if work.bucket:
        tags[BUCKET_TAG] = work.bucket
    return dg.RunRequest(
        run_key=f"{work.kind}:{work.mark}",
        job_name=f"{JOBS[work.kind]}{parts.shard.suffix}",
        tags=tags,
    )


def collecting_schedule(shard: Shard) -> dg.ScheduleDefinition:
    """Return the daily schedule that asks for resources and metrics, with one run per tenant."""

    @dg.schedule(
        name=f"collect_from_aws{shard.suffix}",
        job_name=f"{COLLECT_JOB}{shard.suffix}",
        cron_schedule="45 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Asks AWS for resources and metrics once a day; one run for each tenant.",
    )
    def collect_from_aws(finops: InstallationResource) -> list[dg.RunRequest]:
        return collecting_requests(shard.of(finops.open().registry.tenants()))

    return collect_from_aws


def collecting_requests(tenants: Iterable[Tenant]) -> list[dg.RunRequest]:
    """Return one run, over the projects and the running month, per tenant with such a source."""
    requests, month = [], clock.this_month()
    for tenant in tenants:
        sources = [s for s in tenant.sources if s.is_active and s.kind in ASKED_DAILY]
        if tenant.is_active and sources:
            projects = sorted(f"{tenant.name}/{project.name}" for project in tenant.all_projects)
            tags = range_tags(key(month, projects[0]), key(month, projects[-1]), tenant.name)
            requests.append(dg.RunRequest(tags=tags))
    return requests
