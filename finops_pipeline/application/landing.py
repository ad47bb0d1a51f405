"""Bring in what a source has: deliveries of its location, files by hand, Cost Explorer's answers.

Put here: which way a source's months come in, noting and telling what goes wrong with one. Keep
out: the work of landing (landing), what is built from it (pipeline.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Months, OnStep, Step, silent
from finops_pipeline.application.refusals import SURPRISES, reason_of
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.publish import Writer
from finops_pipeline.landing.by_hand import land_files
from finops_pipeline.landing.cost_explorer_answers import Asking, land_console
from finops_pipeline.landing.land import Landed, land
from finops_pipeline.ledger import ledger
from finops_pipeline.ledger.ledger import LedgerError, Refusal
from finops_pipeline.reconciliation.states import OLDER
from finops_pipeline.sources.cost_explorer_api import Budget
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.tenants.model import Source, SourceFormat, Tenant


def land_by_hand(
    installation: Installation,
    writer: Writer,
    source: Source,
    paths: list[Path],
    metric: Metric | None,
) -> Iterator[Landed]:
    """Land files that someone brings, as the source's format has them.

    Raises:
        FileProblem: a metric is given for a bill, or a file cannot be taken.
    """
    if source.format is SourceFormat.COST_EXPLORER:
        return land_console(writer, source, paths, metric or Metric.UNBLENDED, installation.limits)
    if metric:
        raise FileProblem(
            f"--metric {metric.value} is given for source {source.name}, which is a"
            f" {source.format.value}",
            "a source of the format cost-explorer",
        )
    return land_files(writer, source, paths, installation.limits)


def land_source(
    installation: Installation,
    writer: Writer,
    tenant: Tenant,
    source: Source,
    months: Container[str],
    on_step: OnStep = silent,
    budget: Budget | None = None,
) -> list[Landed]:
    """Land what a source has delivered of these months; refusals are noted in the ledger.

    Args:
        budget: of paid requests, for all sources of a run; None: one of its own.
    """
    what = f"{tenant.name}/{source.name}"
    if source.format is SourceFormat.COST_EXPLORER:
        budget = budget or Budget(installation.settings.cost_explorer_requests)
        return _ask_explorer(installation, writer, tenant, source, months, on_step, budget)
    try:
        location = installation.location(tenant, source)
        there = [month for month in billing_periods(source, location) if month in months]
    except SURPRISES as error:
        on_step(Step("landing", what, "", "refused", reason=reason_of(error)))
        return []
    landed = []
    for month in there:
        take = partial(_land_delivery, installation, writer, source, location, month)
        landed += _land_month(writer, tenant, source, month, take, on_step)
    return landed


def _land_delivery(
    installation: Installation, writer: Writer, source: Source, location: Location, month: str
) -> Landed:
    return land(writer, source, read_delivery(source, location, month), installation.limits)


def _land_month(
    writer: Writer,
    tenant: Tenant,
    source: Source,
    month: str,
    take: Callable[[], Landed],
    on_step: OnStep,
) -> list[Landed]:
    """Land one month; what goes wrong is noted and told, and then nothing has landed."""
    start = clock.stopwatch()
    try:
        one = take()
        _note(writer, one)
    except SURPRISES as error:
        reason = reason_of(error)
        with suppress(LedgerError):  # a full disk must not hide its own cause
            at = clock.now().isoformat()
            writer.ledger.write(ledger.record_refusal(Refusal(source.name, month, reason, at)))
        what = f"{tenant.name}/{source.name}"
        on_step(Step("landing", what, month, "refused", reason=reason))
        return []
    on_step(landing_step(tenant, source, one, clock.stopwatch() - start))
    return [one]


def _ask_explorer(
    installation: Installation,
    writer: Writer,
    tenant: Tenant,
    source: Source,
    months: Container[str],
    on_step: OnStep,
    budget: Budget,
) -> list[Landed]:
    """Ask Cost Explorer for the days that are due; tells what that cost, too."""
    what = f"{tenant.name}/{source.name}"
    try:
        installation.check_location(tenant, source)
        asking = Asking(writer, tenant, source, budget, installation.limits)
        there = asking.months(None if months == Months() else months)
    except SURPRISES as error:
        on_step(Step("landing", what, "", "refused", reason=reason_of(error)))
        return []
    landed = []
    for month in there:
        take = partial(asking.land, month)
        landed += _land_month(writer, tenant, source, month, take, on_step)
    if asking.words:
        on_step(Step("landing", what, "", "asked", reason=asking.words))
    return landed


def _note(writer: Writer, one: Landed) -> None:
    """Note in the ledger that an older delivery was not taken; forget a refusal otherwise."""
    source, month = one.record.source, one.record.billing_period
    noted = writer.ledger.refusals().get((source, month))
    if one.outcome != OLDER:
        if noted:
            writer.ledger.write(ledger.clear_refusal(source, month))
    elif noted is None or noted.reason != one.note:
        at = clock.now().isoformat()
        writer.ledger.write(ledger.record_refusal(Refusal(source, month, one.note, at, OLDER)))


def landing_step(tenant: Tenant, source: Source, one: Landed, seconds: float) -> Step:
    """What landing did with a delivery, for reports."""
    record = one.record
    what = f"{tenant.name}/{source.name}"
    set_aside = f"{record.rows_quarantined} rows quarantined" if record.rows_quarantined else ""
    reason = "; ".join(filter(None, [set_aside, one.note]))
    return Step(
        "landing", what, record.billing_period, one.outcome, record.rows_kept, seconds, reason
    )
