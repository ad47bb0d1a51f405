"""Showing in Dagster what has been published without it: by commands, the API, a killed run.

Put here: the sensor that compares ledgers with Dagster and reports the difference. Keep out: what
is published (application/published_partitions.py), how it is shown (shown_metadata.py).

A partition is reported when its version in the ledger is not the one that Dagster shows. A tenant
whose ledger has not been written since is not read at all.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import uuid
from collections.abc import Collection, Iterable

import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.published_partitions import PublishedPartition, read_published
from finops_pipeline.application.refusals import reason_of
from finops_pipeline.application.watch_state import read_shown, write_shown
from finops_pipeline.errors import counted
from finops_pipeline.lake.layout import RESOURCE_METRICS, RESOURCES, TenantFolder
from finops_pipeline.lake.tenant_ledger import ledger_mark, open_ledger
from finops_pipeline.orchestration.orphaned_runs import busy_tenants
from finops_pipeline.orchestration.partitions import Partitions
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.shown_metadata import ShownTenant
from finops_pipeline.orchestration.tenant_parts import DATA_VERSION
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.model import Tenant

SECONDS = 20.0
"""How long one look may report; Dagster gives a sensor a minute."""

MOST_AT_ONCE = 500
"""Partitions of a tenant that are reported before the time is looked at again."""


def recording_sensor(settings: Settings, parts: Partitions) -> dg.SensorDefinition:
    """Return the sensor that reports what has been published without Dagster."""

    @dg.sensor(
        name=f"record_published{parts.shard.suffix}",
        minimum_interval_seconds=settings.watch_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Reports materializations for what commands or a killed run have published, so that no"
            " month that is there is shown as missing."
        ),
    )
    def record_published(
        context: dg.SensorEvaluationContext, finops: InstallationResource
    ) -> dg.SensorResult:
        return record(context, finops.open(), parts)

    return record_published


def record(
    context: dg.SensorEvaluationContext, installation: Installation, parts: Partitions
) -> dg.SensorResult:
    """Report what Dagster does not show yet, for some seconds at most.

    The cursor names this instance of Dagster: another one has shown nothing.
    """
    epoch, _, first = (context.cursor or uuid.uuid4().hex).partition(" ")
    tenants = [t for t in parts.shard.of(installation.registry.tenants()) if t.is_active]
    busy, start, reported, notes = (
        busy_tenants(context.instance, installation),
        clock.stopwatch(),
        0,
        [],
    )
    following = first
    recorder = _Recorder(context.instance, installation, parts)
    folders = installation.folders(tenant.name for tenant in tenants)
    for tenant in _from(tenants, first):
        following = tenant.name
        if clock.stopwatch() - start > SECONDS:
            break
        if tenant.name in busy:
            continue
        try:
            reported += recorder.record(tenant, folders[tenant.name], epoch)
        except Exception as error:
            notes.append(f"{tenant.name}: {reason_of(error, f'record {tenant.name}')}")
    else:
        following = ""
    for note in notes:
        context.log.warning(note)
    said = f"{counted(reported, 'partition')} reported" if reported else "everything is shown"
    return dg.SensorResult(
        skip_reason="; ".join([said, *notes[:3]]), cursor=f"{epoch} {following}".rstrip()
    )


def _from(tenants: Iterable[Tenant], first: str) -> list[Tenant]:
    ordered = sorted(tenants, key=lambda tenant: tenant.name)
    return [*(t for t in ordered if t.name >= first), *(t for t in ordered if t.name < first)]


def _differs(part: PublishedPartition, version: str | None) -> bool:
    """Return whether Dagster shows a partition in another version, or not at all.

    It gives versions of its own to what is collected, so any counts.
    """
    if part.place.table_name in (RESOURCES, RESOURCE_METRICS):
        return version is None
    return version != part.version


class _Recorder:
    """Reports the partitions of one tenant after another."""

    def __init__(
        self, instance: dg.DagsterInstance, installation: Installation, parts: Partitions
    ) -> None:
        self._instance = instance
        self._installation = installation
        self._parts = parts

    def record(self, tenant: Tenant, folder: TenantFolder, epoch: str) -> int:
        """Report what has changed of a tenant; return the number of partitions."""
        mark = f"{epoch} {ledger_mark(folder)}"
        if read_shown(self._installation, tenant) == mark or mark == f"{epoch} ":
            return 0
        published = read_published(open_ledger(folder), tenant.name)
        shown = ShownTenant(self._installation, tenant.name, self._parts.shard.prefix)
        first = self._parts.first_month
        known = [part for place, part in published.items() if place.billing_period >= first]
        missing = self._missing(shown, known)
        for event in shown.show(missing[:MOST_AT_ONCE]):
            self._instance.report_runless_asset_event(event)
        if len(missing) <= MOST_AT_ONCE:
            write_shown(self._installation, tenant, mark)
        return len(missing[:MOST_AT_ONCE])

    def _missing(
        self, shown: ShownTenant, published: Collection[PublishedPartition]
    ) -> list[PublishedPartition]:
        """Return what Dagster shows in another version or not at all, the newest months first."""
        by_asset: dict[dg.AssetKey, dict[str, PublishedPartition]] = {}
        for part in published:
            asset, partition = shown.key_of(part)
            by_asset.setdefault(asset, {})[str(partition)] = part
        missing = []
        for asset, of_asset in by_asset.items():
            known = self._instance.event_log_storage.get_latest_tags_by_partition(
                asset,
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                tag_keys=[DATA_VERSION],
                asset_partitions=list(of_asset),
            )
            missing += [
                part
                for partition, part in of_asset.items()
                if _differs(part, known.get(partition, {}).get(DATA_VERSION))
            ]
        return sorted(missing, key=lambda part: part.place.billing_period, reverse=True)
