"""What a tenant needs now: months to land, costs to build, a file to refresh.

Put here: deciding it for one tenant. Keep out: looking at one source (source_look.py), dividing
time among tenants (watch_round.py), how a run is started (orchestration).

A tenant gets one run at a time. What it lands is built and refreshed in the same run, so a run for
costs is needed only when a declaration or a rule has changed, and one for the file alone only when
the change concerns no charge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, partial

from finops_pipeline import __version__
from finops_pipeline.application.outdated_costs import find_outdated_costs
from finops_pipeline.application.refusals import as_expected
from finops_pipeline.application.source_look import LookTime, is_due, look
from finops_pipeline.application.watch_state import Requested, SourceWatch, TenantWatch
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.tenant_ledger import ledger_mark, open_ledger
from finops_pipeline.ledger.ledger import Ledger, fingerprint_of
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.months import months_between
from finops_pipeline.tenants.places import is_s3

EXAMINED_AGAIN = timedelta(hours=6)


class WorkKind(StrEnum):
    """What a run does; each value is the name of the asset that it materializes."""

    LAND = "landing"
    BUILD = "costs"
    REFRESH = "warehouse"


@dataclass(frozen=True)
class Work:
    """One run for a tenant: all names and months between the first and the last ones.

    `mark`: differs for each reason to run. `bucket`: the bucket that a landing reads.
    """

    kind: WorkKind
    tenant: str
    names: tuple[str, str]
    months: tuple[str, str]
    reason: str
    mark: str
    bucket: str = ""


Looked = tuple[SourceWatch, dict[str, str]]
"""What a look at a source returns."""

Bounded = Callable[[Callable[[], Looked]], Looked]
"""Takes a look, and gives it up after some time with a FinopsError."""


@dataclass(frozen=True)
class Examination:
    """What a tenant needs, what is remembered of it, and the sources that could not be read."""

    works: tuple[Work, ...]
    watch: TenantWatch
    failures: tuple[str, ...] = ()
    looks: int = 0


class TenantExamination:
    """Examines one tenant. `bounded`: gives up a look that takes too long."""

    def __init__(
        self, folder: TenantFolder, tenant: Tenant, moment: LookTime, bounded: Bounded
    ) -> None:
        self._tenant = tenant
        self._moment = moment
        self._bounded = bounded
        self._folder = folder

    @cached_property
    def _ledger(self) -> Ledger:
        """The tenant's ledger, opened only if something is due."""
        return open_ledger(self._folder)

    def examine(self, watch: TenantWatch) -> Examination:
        """Look at the sources that are due, and find what has to be built.

        Raises:
            FinopsError: the ledger of the tenant cannot be used.
        """
        sources, failures, looks = dict(watch.sources), list[str](), 0
        lands: dict[str, dict[str, str]] = {}
        for source in self._tenant.sources:
            before = sources.get(source.name, SourceWatch())
            if not is_due(source, before, self._moment):
                continue
            looks += 1
            known = (before, self._moment)
            try:
                seen, due = self._bounded(partial(look, self._tenant, source, self._ledger, known))
            except Exception as error:
                expected = as_expected(error)
                if expected is None:
                    raise
                failures.append(f"{self._tenant.name}/{source.name}: {expected.found}")
                seen, due = _failed(before, expected, self._moment), {}
            sources[source.name] = self._with_requests(seen, due)
            if due:
                lands[source.name] = due
        watch = watch.model_copy(update={"sources": sources})
        works = self._plan_landing(lands)
        if not works:
            works, watch = self._plan_build(watch)
        return Examination(tuple(works), watch, tuple(failures), looks)

    def _with_requests(self, seen: SourceWatch, due: dict[str, str]) -> SourceWatch:
        moment = self._moment
        made = {
            month: Requested(mark=mark, at=moment.now, round=moment.confirmed + 1)
            for month, mark in due.items()
        }
        return seen.model_copy(update={"requested": seen.requested | made})

    def _plan_landing(self, lands: dict[str, dict[str, str]]) -> list[Work]:
        """Plan one run over the due sources and months, from the first to the last of each."""
        if not lands:
            return []
        months = sorted({month for due in lands.values() for month in due})
        names = sorted(lands)
        count = sum(map(len, lands.values()))
        what = f"{', '.join(names)}: {count} delivered {'month' if count == 1 else 'months'}"
        bucket = next(filter(None, map(_bucket, map(self._tenant.source, names))), "")
        return [
            Work(
                WorkKind.LAND,
                self._tenant.name,
                (names[0], names[-1]),
                (months[0], months[-1]),
                what,
                self._mark_of(lands),
                bucket,
            )
        ]

    def _plan_build(self, watch: TenantWatch) -> tuple[list[Work], TenantWatch]:
        """Plan what a changed ledger, declaration or version of finops_pipeline requires."""
        moment = self._moment
        declared = fingerprint_of([self._tenant.model_dump(mode="json"), __version__])
        examined = fingerprint_of([declared, ledger_mark(self._folder)])
        is_recent = watch.examined_at and moment.now - watch.examined_at < EXAMINED_AGAIN
        if watch.examined == examined and is_recent:
            return [], watch
        outdated = {
            key: mark
            for key, mark in find_outdated_costs(self._tenant, self._ledger).items()
            if moment.covers(key[1])
        }
        built = sorted({month for _, month in self._ledger.partitions(COSTS)})
        mark = fingerprint_of(sorted([*key, value] for key, value in outdated.items()))
        works: list[Work] = []
        if outdated:
            works = self._build(outdated, mark, watch)
        elif built and watch.refreshed and watch.refreshed != declared:
            works = [self._refresh(built, declared)]
        update = {"examined_at": moment.now, "examined": "" if works else examined}
        if outdated and works:
            made = Requested(mark=mark, at=moment.now, round=moment.confirmed + 1)
            update["build"] = made
        if works or not outdated:  # a run for costs refreshes the file as well
            update["refreshed"] = declared
        return works, watch.model_copy(update=update)

    def _build(
        self, outdated: Iterable[tuple[str, str]], mark: str, watch: TenantWatch
    ) -> list[Work]:
        moment, before = self._moment, watch.build
        is_requested = before is not None and before.counts(mark, moment.confirmed)
        if before and is_requested and moment.now - before.at < moment.open_every:
            return []  # it is still outdated, so it was refused
        own = {project.name for project in self._tenant.all_projects}
        names = sorted({name for name, _ in outdated} & own) or sorted(own)
        months = sorted({month for _, month in outdated})
        what = f"{', '.join(names)}: out of date from {months[0]} to {months[-1]}"
        span = (months[0], months[-1])
        return [
            Work(
                WorkKind.BUILD,
                self._tenant.name,
                (names[0], names[-1]),
                span,
                what,
                self._mark_of(mark),
            )
        ]

    def _refresh(self, built: list[str], declared: str) -> Work:
        name = self._tenant.name
        return Work(
            WorkKind.REFRESH,
            name,
            (name, name),
            (built[-1], built[-1]),
            "its declaration has changed",
            self._mark_of(declared),
        )

    def _mark_of(self, due: object) -> str:
        return fingerprint_of([self._tenant.name, due, self._moment.confirmed])


def count_months(work: Work) -> int:
    """Count the months of a run."""
    return len(months_between(*work.months))


def _failed(before: SourceWatch, error: FinopsError, moment: LookTime) -> SourceWatch:
    confirmed = {
        month: request
        for month, request in before.requested.items()
        if request.round <= moment.confirmed
    }
    return before.model_copy(
        update={"looked_at": moment.now, "failure": error.found, "requested": confirmed}
    )


def _bucket(source: Source) -> str:
    return source.location.removeprefix("s3://").partition("/")[0] if is_s3(source.location) else ""
