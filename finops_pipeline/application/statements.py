"""Statements of what each project is charged for a month: closed once, adjusted later.

Put here: previewing, closing and adjusting, and when that is refused. Keep out: reading what is
closed (closed_statements.py), computing lines (marts/statements), how they are printed
(statement_documents.py, cli).

A closing is one publication: killed half-way it leaves nothing, and a second one finds the month
closed. Nothing else writes statements, so no refresh, restatement or changed rule changes one.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import astuple, dataclass

from finops_pipeline import clock
from finops_pipeline.application.closed_statements import (
    StatedVersion,
    of_project,
    require_closed,
)
from finops_pipeline.application.ingest import refresh_warehouse
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import IntegrityCheckFailed, RegistryError, Unknown
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.statement_files import publish_statement, read_statement_lines
from finops_pipeline.ledger.statement_entries import (
    StatementEntry,
    StatementKind,
    read_statement_entries,
)
from finops_pipeline.marts.statement_views import (
    StatementLine,
    closed_projects,
    difference_lines,
    list_months,
    preview_lines,
)
from finops_pipeline.reconciliation.states import ReconciliationState
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month


@dataclass(frozen=True)
class StatementRequest:
    """A month to close or to adjust.

    `is_forced`: even if the month is not reconciled, which needs a `reason`.
    """

    tenant: str
    month: str
    reason: str = ""
    is_forced: bool = False


def preview_statements(
    installation: Installation, tenant: str, month: str, project: str | None = None
) -> list[StatementLine]:
    """Compute the statements of a month (of one project) as they would be closed now.

    Raises:
        Unknown: there is no such tenant or project, or no bill of the month.
        RegistryError: a fixed fee has another currency than the bill.
    """
    declared = installation.registry.tenant(tenant)
    folder = installation.folder(declared.name)
    lines = _lines_now(folder, declared, check_month(month))
    return of_project(declared.name, lines, project)


def _lines_now(folder: TenantFolder, tenant: Tenant, month: str) -> list[StatementLine]:
    months = list_months(folder)
    if month not in months:
        listed = ", ".join(months) or "(none)"
        raise Unknown(
            f"tenant {tenant.name} has no bill of {month}",
            f"a month that has one: {listed}",
            f"See what has landed: finops status {tenant.name}",
        )
    lines = preview_lines(folder, tenant, month)
    _check_fees(tenant, lines, closed_projects(folder, month))
    return lines


def _check_fees(tenant: Tenant, lines: Sequence[StatementLine], closed: Set[str]) -> None:
    """Check that every fixed fee of a month's statements has a currency of its bill.

    `closed`: the projects with a closed statement, whose fee is that of the closing.
    """
    currencies = sorted({line.billing_currency for line in lines})
    for line in lines:
        is_stated = line.fixed_fee is None or line.fixed_fee_currency in currencies
        if is_stated or line.project in closed:
            continue
        project = tenant.project(line.project)
        is_own = project.statements.fixed_fee is not None
        place = f", project {project.name!r}" if is_own else ""
        raise RegistryError(
            f"tenant {tenant.name}{place}: statements.fixed_fee.currency is"
            f" {line.fixed_fee_currency}, but the bill of {line.billing_period} is in"
            f" {' and '.join(currencies)}",
            "a fee in the currency of the bill",
            "Correct it in tenants.yaml and declare it again with finops apply",
        )


def close_month(installation: Installation, request: StatementRequest) -> StatedVersion:
    """Close the statements of a month, of all projects together; they never change afterwards.

    Raises:
        Unknown: there is no such tenant, or no bill of the month.
        RegistryError: the month is closed already or not reconciled, a fee has another currency
            than the bill, or a project with costs is not declared.
        TenantBusy: another process is writing this tenant.
        DamagedFile: a closed statement is lost or was changed.
        IntegrityCheckFailed: the tenant's file could not be refreshed; nothing is closed.
    """
    month = _check_request(installation, request)
    with installation.writing(request.tenant) as session:
        folder = session.writer.folder
        if read_statement_entries(session.writer.ledger, month):
            raise _closed_already(request.tenant, month)
        read_statement_lines(folder)
        _refresh(session)
        lines = _lines_now(folder, session.tenant, month)
        _check_projects(session.tenant, lines)
        return _publish(session, request, lines, version=1)


def _check_projects(tenant: Tenant, lines: Sequence[StatementLine]) -> None:
    """Check that every project is declared: others have no terms."""
    declared = {project.name for project in tenant.all_projects}
    for line in lines:
        if line.project not in declared:
            raise RegistryError(
                f"{tenant.name} {line.billing_period} has costs of the project {line.project!r},"
                " which is not declared any more",
                "the costs of declared projects",
                f"Move its costs to the projects that are declared: finops ingest {tenant.name}",
            )


def _closed_already(tenant: str, month: str) -> RegistryError:
    return RegistryError(
        f"the statements of {tenant} {month} are closed already",
        "a month that is not closed",
        f"If its bill has changed since then: finops statements adjust {tenant} --month {month}",
    )


def adjust_month(installation: Installation, request: StatementRequest) -> StatedVersion | None:
    """Add an adjustment to a closed month: what it would state now, without what it has stated.

    Returns:
        the adjustment; None if nothing has changed, and nothing is written.

    Raises:
        Unknown: there is no such tenant, or the month is not closed.
        RegistryError: the month is not reconciled, a new project's fee has another currency than
            the bill, or a project with costs is not declared.
        TenantBusy: another process is writing this tenant.
        DamagedFile: a closed statement is lost or was changed.
        IntegrityCheckFailed: the tenant's file could not be refreshed; nothing is adjusted.
    """
    month = _check_request(installation, request)
    with installation.writing(request.tenant) as session:
        folder = session.writer.folder
        entries = require_closed(request.tenant, session.writer.ledger, month)
        read_statement_lines(folder)
        _refresh(session)
        lines = difference_lines(folder, month)
        if not lines:
            return None
        present = preview_lines(folder, session.tenant, month)
        _check_fees(session.tenant, present, closed_projects(folder, month))
        _check_projects(session.tenant, present)
        return _publish(session, request, lines, version=entries[-1].version + 1)


def _check_request(installation: Installation, request: StatementRequest) -> str:
    """Check what can be checked before waiting for the tenant's lock; return the month."""
    installation.registry.tenant(request.tenant)
    if request.is_forced and not request.reason.strip():
        raise RegistryError(
            "a month that is not reconciled can be closed only with a reason",
            "the reason, which appears in the statements",
            "Add --reason TEXT",
        )
    return check_month(request.month)


def _refresh(session: TenantSession) -> None:
    """Bring the tenant's file up to date, so that what is stated is what is declared and built."""
    steps: list[Step] = []
    with session.writer.publication() as publication:
        refresh_warehouse(session, publication, steps.append)
    _require_success(session, steps)


def _require_success(session: TenantSession, steps: Sequence[Step]) -> None:
    failed = [step.reason for step in steps if step.has_failed]
    if failed:
        name = session.tenant.name
        raise IntegrityCheckFailed(
            f"the file of tenant {name} could not be refreshed: {failed[0]}",
            "a file that agrees with the charges",
            f"See its state: finops status {name}",
        )


def _publish(
    session: TenantSession, request: StatementRequest, lines: list[StatementLine], version: int
) -> StatedVersion:
    """Write a version, and show it in the tenant's file, in one publication."""
    kind = StatementKind.STATEMENT if version == 1 else StatementKind.ADJUSTMENT
    state = _require_state(session, request)
    at = clock.now().isoformat(timespec="seconds")
    reason = request.reason.strip()
    entry = StatementEntry(
        *(request.month, version, kind.value, at, state, reason, len(lines)),
        sha256="",
        size_bytes=0,
    )
    head = (entry.billing_period, version, entry.kind, at, state, reason or None)
    rows = [(*head, *astuple(line)[1:]) for line in lines]
    steps: list[Step] = []
    with session.writer.publication() as publication:
        entry = publish_statement(publication, entry, rows)
        refresh_warehouse(session, publication, steps.append)
        is_published = publication.is_committed
    if not is_published:
        _require_success(session, steps)
    return StatedVersion(entry, lines)


def _require_state(session: TenantSession, request: StatementRequest) -> str:
    """Return the state of the month, which has to be reconciled unless a reason is given."""
    state = state_of_month(session.installation, request.tenant, request.month)
    if not state.is_reconciled and not request.is_forced:
        raise RegistryError(
            f"{request.tenant} {request.month} is not reconciled: {state.text}{state.why}",
            "a month that is reconciled",
            "Wait until it is, or close it anyway with a reason: add --unreconciled --reason TEXT",
        )
    return state.text


@dataclass(frozen=True)
class MonthState:
    """Whether all bills of a month are reconciled: `reconciled`, or those that are not.

    `why` is the reason of the first one, in brackets; empty if it has none.
    """

    text: str
    why: str = ""

    @property
    def is_reconciled(self) -> bool:
        """Whether a statement of the month needs no reason."""
        return self.text == ReconciliationState.RECONCILED.value


def state_of_month(installation: Installation, tenant: str, month: str) -> MonthState:
    """Return the state of a month that statements state.

    Raises:
        Unknown: there is no such tenant.
    """
    settled = (
        ReconciliationState.RECONCILED,
        ReconciliationState.LANDED,
        ReconciliationState.EMPTY,
    )
    unsettled = [
        status
        for status in installation.status(tenant)
        if status.billing_period == month and status.state not in settled
    ]
    if not unsettled:
        return MonthState(ReconciliationState.RECONCILED.value)
    text = ", ".join(sorted({f"{status.source} {status.state}" for status in unsettled}))
    why = next((f" ({status.reason})" for status in unsettled if status.reason), "")
    return MonthState(text, why)
