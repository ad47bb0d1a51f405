"""Runs whose process was killed: noticed and failed, so that their tenant gets another.

Put here: telling them from runs that work. Keep out: the lock of a run (lake/run_lock.py).

Dagster's own monitoring sees only that the code server of a run is gone if its launcher can tell,
and that of a single machine cannot (1.13): a run that was killed with its server would count as
started until `max_runtime_seconds`, and keep its tenant and its bucket from every other run.
"""

from __future__ import annotations

import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.lake.run_lock import RunLock
from finops_pipeline.orchestration.partitions import TENANT_TAG

GRACE_SECONDS = 60.0
"""A run that has just been started does not hold its lock yet; one that ends no longer does."""

_LOCKED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_UNFINISHED = [
    *_LOCKED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
]


def run_lock(installation: Installation, run_id: str) -> RunLock:
    """Return the lock that the process of a run holds."""
    settings = installation.settings
    return RunLock(settings.data_folder / "lake", run_id, Permissions(settings.group_readable))


def busy_tenants(instance: dg.DagsterInstance, installation: Installation) -> set[str]:
    """Return the tenants that have an unfinished run; fail the runs whose process is gone."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED), limit=5000)
    busy = set()
    for record in records:
        run = record.dagster_run
        if TENANT_TAG not in run.tags:
            continue
        if _is_orphaned(record, installation):
            run_lock(installation, run.run_id).release()
            instance.report_run_failed(run, "The process of this run has ended without a result.")
        else:
            busy.add(run.tags[TENANT_TAG])
    return busy


def _is_orphaned(record: dg.RunRecord, installation: Installation) -> bool:
    run, started = record.dagster_run, record.start_time
    if run.status not in _LOCKED or started is None:
        return False
    is_left_behind = run_lock(installation, run.run_id).is_left_behind()
    if is_left_behind is None:
        return clock.now().timestamp() - started >= GRACE_SECONDS
    return is_left_behind
