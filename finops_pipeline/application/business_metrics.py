"""Business metrics of a tenant, such as orders per day: loading, listing and removing values.

Put here: one function per use case, and what replaces what. Keep out: reading a user's file
(landing/metric_file.py), files of values (lake/metric_values.py), unit costs (marts/sql).

Values and the tables made of them become visible in one publication, or nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finops_pipeline.application.ingest import refresh_warehouse
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import (
    DamagedFile,
    FileProblem,
    ForeignFile,
    RegistryError,
    Unknown,
    counted,
    did_you_mean,
)
from finops_pipeline.lake.duck import Connection, scratch_connection
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import BUSINESS_METRICS
from finops_pipeline.lake.metric_values import (
    MetricKey,
    MetricValues,
    read_metric_values,
    write_metric_values,
)
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle
from finops_pipeline.landing.metric_file import MetricFile, read_metric_file
from finops_pipeline.ledger.stored_files import Place, read_stored_files
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import month_of


@dataclass(frozen=True)
class LoadedMetric:
    """What was loaded of a metric and project (empty: the whole tenant).

    `new`, `changed` and `same` count its values: on days that had no value before, had another
    value, or had the same value.
    """

    metric: str
    project: str
    first_day: str
    last_day: str
    new: int
    changed: int
    same: int


@dataclass(frozen=True)
class ListedMetric:
    """The values that a tenant has of a metric and project (None: the whole tenant).

    `days_without_value`: days between the first and the last one.
    """

    metric: str
    project: str | None
    first_day: str
    last_day: str
    days: int
    days_without_value: int


@dataclass(frozen=True)
class RemovedMetric:
    """How many values were removed of a metric, and the names of shared costs that it splits."""

    values: int
    shared_costs: tuple[str, ...]


def load_metrics(
    installation: Installation, tenant_name: str, file: Path, project: str = ""
) -> Sequence[LoadedMetric]:
    """Load a file of business metrics; values of the same days, metrics and projects are replaced.

    Raises:
        Unknown: there is no such tenant, or no such project.
        FileProblem: the file, a value or a project in it is not valid; nothing was stored.
        RegistryError: the tenant is disabled, or its tables could not be built; nothing was stored.
        TenantBusy: another process is writing this tenant.
    """
    tenant = installation.registry.tenant(tenant_name)
    require_active("tenant", tenant.name, tenant)
    if project:
        tenant.project(project)
    installation.check_files(tenant.name, [file])
    read = read_metric_file(file, project)
    with installation.writing(tenant.name) as session:
        require_active("tenant", tenant.name, session.tenant)
        _check_projects(session.tenant, read)
        before = _change(session, lambda values: values | read.values, _places(read.values))
    return _compare(before, read.values)


def remove_metric(
    installation: Installation, tenant_name: str, metric: str, project: str | None = None
) -> RemovedMetric:
    """Remove all values of a metric (of one project; empty: those of the whole tenant).

    Raises:
        Unknown: there is no such tenant, or it has no such values.
        DamagedFile, ForeignFile: only a project's values are to be removed, and a file of the
            metric, which may have some of them, is lost or was changed.
        RegistryError: its tables could not be built; nothing was removed.
        TenantBusy: another process is writing this tenant.
    """
    tenant = installation.registry.tenant(tenant_name)
    with installation.writing(tenant.name) as session:
        ledger = session.writer.ledger
        stored = read_stored_files(ledger)
        places = {p for p in stored if p.table_name == BUSINESS_METRICS and p.key == metric}
        present = sorted({p.key for p in stored if p.table_name == BUSINESS_METRICS})
        if not places:
            raise _no_values(tenant.name, metric, present)
        if project is not None:
            FileChecker(session.writer.folder, ledger).check(stored[place] for place in places)

        def is_removed(key: MetricKey) -> bool:
            return project is None or key.project == project

        def rest(values: MetricValues) -> MetricValues:
            if values and not any(map(is_removed, values)):
                scope = f"project {project}" if project else "the whole tenant"
                raise _no_values(tenant.name, f"{metric} for {scope}", ())
            return {key: value for key, value in values.items() if not is_removed(key)}

        before = _change(session, rest, places)
        split = tuple(s.name for s in session.tenant.shared_costs if s.metric == metric)
    return RemovedMetric(sum(map(is_removed, before)), split)


def _no_values(tenant: str, metric: str, present: Sequence[str]) -> Unknown:
    return Unknown(
        f"tenant {tenant} has no values of the metric {metric}",
        cure=did_you_mean(metric, present) + f"List the metrics: finops metrics list {tenant}",
    )


def list_metrics(installation: Installation, tenant_name: str) -> Sequence[ListedMetric]:
    """List a tenant's metrics, by name and project.

    Raises:
        Unknown: there is no such tenant.
        DamagedFile, ForeignFile: a file of values is lost or was changed.
    """
    folder = installation.folder(installation.registry.tenant(tenant_name).name)
    settle(folder)
    ledger = open_ledger(folder)
    files = [
        file
        for file in sorted(read_stored_files(ledger).values())
        if file.place.table_name == BUSINESS_METRICS
    ]
    if not files:
        return []
    FileChecker(folder, ledger).check(files)
    with scratch_connection(folder.staging / "spill", installation.limits) as connection:
        values = read_metric_values(connection, [folder.stored(file) for file in files])
    return [_listed(keys) for keys in _by_series(values).values()]


def _listed(keys: Sequence[MetricKey]) -> ListedMetric:
    first, last = keys[0].day, keys[-1].day
    missing = (last - first).days + 1 - len(keys)
    series = (keys[0].metric, keys[0].project or None)
    return ListedMetric(*series, first.isoformat(), last.isoformat(), len(keys), missing)


def rename_in_values(session: TenantSession, before: str, after: str) -> None:
    """Rename a project in its values; the next refresh shows them.

    Running this a second time changes nothing. Values under the new name stay as they are.

    Raises:
        RegistryError: an earlier project of the new name has values of the same metric and days;
            nothing was changed.
    """
    stored = read_stored_files(session.writer.ledger)
    places = sorted(place for place in stored if place.table_name == BUSINESS_METRICS)
    if not places:
        return
    same = set[MetricKey]()
    with session.writer.publication() as publication:
        with scratch_connection(publication.spill, session.limits) as connection:
            for place in places:
                values = _read(publication, connection, [place])
                renamed = {
                    replace(k, project=after): v for k, v in values.items() if k.project == before
                }
                others = {k: v for k, v in values.items() if k.project != before}
                same |= renamed.keys() & others.keys()
                if renamed:
                    _put(publication, connection, place, (values, renamed | others))
        _refuse_overlap(session.tenant.name, same)
        publication.commit()


def _refuse_overlap(tenant: str, keys: Iterable[MetricKey]) -> None:
    for (metric, project), same in _by_series(keys).items():
        raise RegistryError(
            f"an earlier project {tenant}/{project} has values of {metric} for {len(same)} of the"
            f" same days, such as {same[0].day}",
            "a new name without such values",
            f"Remove the earlier ones: finops metrics remove {tenant} {metric} --project {project}",
        )


def _by_series(keys: Iterable[MetricKey]) -> dict[tuple[str, str], list[MetricKey]]:
    """Group keys by metric and project, each in the order of days."""
    series: dict[tuple[str, str], list[MetricKey]] = {}
    for key in sorted(keys):
        series.setdefault((key.metric, key.project), []).append(key)
    return series


def _check_projects(tenant: Tenant, file: MetricFile) -> None:
    names = sorted(project.name for project in tenant.all_projects)
    for key, place in file.places.items():
        if key.project and key.project not in names:
            raise FileProblem(
                f"{file.path}, {place}: project is {key.project!r}, which tenant {tenant.name} does"
                " not have",
                f"one of: {', '.join(names)}",
                did_you_mean(key.project, names)
                + f"List the projects: finops project list {tenant.name}",
            )


def _places(values: Iterable[MetricKey]) -> set[Place]:
    return {Place(BUSINESS_METRICS, key.metric, month_of(key.day)) for key in values}


def _change(
    session: TenantSession,
    make: Callable[[MetricValues], MetricValues],
    places: Iterable[Place],
) -> MetricValues:
    """Publish changed values of some metrics and months, and the tables built from them.

    Args:
        make: returns all values after the change, given those of the places before.

    Returns:
        the values before.

    Raises:
        RegistryError: the tables could not be built; nothing was published.
    """
    steps: list[Step] = []
    with session.writer.publication() as publication:
        with scratch_connection(publication.spill, session.limits) as connection:
            before = _read(publication, connection, places)
            after = make(before)
            for place in sorted(places):
                _put(publication, connection, place, (_of(place, before), _of(place, after)))
        refresh_warehouse(session, publication, steps.append)
    failures = [step.reason for step in steps if step.has_failed]
    if failures and not publication.is_committed:
        raise RegistryError(
            f"the tables of tenant {session.tenant.name} could not be built: {failures[-1]}"
        )
    return before


def _of(place: Place, values: MetricValues) -> MetricValues:
    return {
        key: value
        for key, value in values.items()
        if (key.metric, month_of(key.day)) == (place.key, place.billing_period)
    }


def _read(
    publication: Publication, connection: Connection, places: Iterable[Place]
) -> MetricValues:
    """Read the earlier values; values in a lost file cannot be kept, and loading replaces them."""
    paths = []
    for place in sorted(places):
        try:
            path = publication.checked(place.table_name, place.key, place.billing_period)
        except (DamagedFile, ForeignFile):
            continue
        if path is not None:
            paths.append(path)
    return read_metric_values(connection, paths)


def _put(
    publication: Publication,
    connection: Connection,
    place: Place,
    values: tuple[MetricValues, MetricValues],
) -> None:
    """Put a month's file of values if it differs from the one before; drop one without values."""
    before, after = values
    path = publication.current(place.table_name, place.key, place.billing_period)
    if not after:
        publication.drop(place)
    elif before != after or path is None or not path.exists():
        staged = publication.scratch(f"{place.key}-{place.billing_period}.parquet")
        write_metric_values(connection, staged, publication.folder.identity, after)
        publication.put_values(place, staged)


def _compare(before: Mapping[MetricKey, object], loaded: MetricValues) -> Sequence[LoadedMetric]:
    lines = []
    for (metric, project), keys in _by_series(loaded).items():
        new = sum(key not in before for key in keys)
        same = sum(before.get(key) == loaded[key] for key in keys)
        days = (keys[0].day.isoformat(), keys[-1].day.isoformat())
        lines.append(LoadedMetric(metric, project, *days, new, len(keys) - new - same, same))
    return lines


def describe_loaded(loaded: LoadedMetric) -> str:
    """Describe in one line what was loaded and what it replaced."""
    scope = f"project {loaded.project}" if loaded.project else "the whole tenant"
    days = loaded.new + loaded.changed + loaded.same
    parts = [f"{loaded.new} new"]
    parts += [f"{loaded.changed} replaced"] if loaded.changed else []
    parts += [f"{loaded.same} unchanged"] if loaded.same else []
    period = f"{loaded.first_day} to {loaded.last_day}"
    return f"{loaded.metric} of {scope}: {counted(days, 'day')}, {period}: {', '.join(parts)}"
