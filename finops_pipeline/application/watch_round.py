"""A round over the tenants: what is due, within a bounded time, and fairly.

Put here: dividing a round's time among tenants, giving up a source that hangs. Keep out: what one
tenant needs (tenant_due.py), starting runs (orchestration).

A round begins with the tenant after the last one of the round before. One that cannot be examined
is reported and stops no other. A look that hangs is left behind in its thread: it ends when its
connection does, and the source is left alone for a while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import reason_of
from finops_pipeline.application.source_look import LookTime
from finops_pipeline.application.tenant_due import Looked, TenantExamination, Work
from finops_pipeline.application.watch_state import read_watch, write_watch
from finops_pipeline.errors import Unreachable
from finops_pipeline.tenants.model import Tenant

MOST_WORKS = 100
"""Runs that one round asks for at most."""


@dataclass(frozen=True)
class RoundLimits:
    """How many seconds a round may take, and one look of it."""

    seconds: float = 20.0
    look_seconds: float = 8.0


@dataclass(frozen=True)
class RoundStart:
    """Where a round begins.

    `tenant`: the first one. `confirmed`: the number of the last confirmed round. `busy`: tenants
    that have a run; they are examined when it has ended.
    """

    tenant: str = ""
    confirmed: int = 0
    busy: Collection[str] = ()


@dataclass
class Round:
    """What a round found: runs to start, sources that could not be read, where to begin next."""

    works: list[Work] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    next_tenant: str = ""
    examined: int = 0
    looks: int = 0
    is_whole: bool = True


def take_round(
    installation: Installation,
    tenants: Sequence[Tenant],
    start: RoundStart | None = None,
    limits: RoundLimits | None = None,
) -> Round:
    """Examine the active tenants in turn until the time is used up."""
    start, limits = start or RoundStart(), limits or RoundLimits()
    settings = installation.settings
    moment = LookTime(
        clock.now(),
        timedelta(hours=settings.watch_open_hours),
        timedelta(hours=settings.watch_closed_hours),
        start.confirmed,
        settings.first_month,
    )
    began, found = clock.stopwatch(), Round(next_tenant=start.tenant)
    bounded = BoundedLook(limits.look_seconds)
    folders = installation.folders(tenant.name for tenant in tenants)
    for tenant in _rotated(tenants, start.tenant):
        if clock.stopwatch() - began > limits.seconds or len(found.works) >= MOST_WORKS:
            found.next_tenant, found.is_whole = tenant.name, False
            break
        found.examined += 1
        if tenant.name in start.busy:
            continue
        try:
            _examine(
                installation,
                TenantExamination(folders[tenant.name], tenant, moment, bounded),
                tenant,
                found,
            )
        except Exception as error:
            found.failures.append(f"{tenant.name}: {reason_of(error, f'watch {tenant.name}')}")
    return found


def _examine(
    installation: Installation, examination: TenantExamination, tenant: Tenant, found: Round
) -> None:
    before = read_watch(installation, tenant)
    result = examination.examine(before)
    if result.watch != before:
        write_watch(installation, tenant, result.watch)
    found.works += result.works
    found.failures += result.failures
    found.looks += result.looks


def _rotated(tenants: Sequence[Tenant], first: str) -> list[Tenant]:
    active = sorted((t for t in tenants if t.is_active and t.external_id), key=lambda t: t.name)
    return [*(t for t in active if t.name >= first), *(t for t in active if t.name < first)]


class BoundedLook:
    """Takes looks in threads of their own, and waits only so many seconds for each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, take: Callable[[], Looked]) -> Looked:
        """Take a look.

        Raises:
            Unreachable: it took too long.
        """
        answers: SimpleQueue[Looked | Exception] = SimpleQueue()

        def work() -> None:
            try:
                answers.put(take())
            except Exception as error:
                answers.put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            answer = answers.get(timeout=self._seconds)
        except Empty:
            raise Unreachable(
                f"the source did not answer within {self._seconds:g} seconds",
                "a source that answers",
                "It is looked at again in some minutes",
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer
