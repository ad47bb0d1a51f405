"""A change that an administrator of a tenant makes: recorded before and after, one at a time.

Put here: what holds for every change of a declaration, an invoice or a request for an ingest. Keep
out: the changes themselves (application), and changes of access, which record themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import Response

from finops_pipeline.application.administered_tenant import AdministeredTenant
from finops_pipeline.errors import Busy
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.api.data_request import JSON, DataRequest
from finops_pipeline.serve.api.error_problems import problem_of
from finops_pipeline.serve.exact_json import exact_json

_MOST_CHARACTERS = 500


def actor_of(data: DataRequest) -> Actor:
    """Return the caller as an administrator of the tenant.

    Raises:
        PermissionMissing: the access does not permit to administer the whole tenant.
    """
    record = data.record
    assert record.principal is not None, "the route verifies before it answers"
    return Actor.administrator(record.principal, data.access, record.request_id)


def administered(data: DataRequest) -> AdministeredTenant:
    """Return the tenant of a request as its administrator reads or changes it.

    Raises:
        PermissionMissing: the access does not permit to administer the whole tenant.
    """
    actor_of(data)
    installation = data.services.declarations
    return AdministeredTenant(installation, data.access.tenant, data.access.tenant_id)


@contextmanager
def changing(data: DataRequest, subject: str) -> Iterator[list[str]]:
    """Record that a change begins, and what came of it; yield the lines that describe it.

    Nothing is changed unless the beginning is on the disk: a change that the process did not live
    to describe has an entry, too.

    Raises:
        AuditUnavailable: it could not be recorded.
    """
    data.audit_change(f"{subject[:60]}: begun")
    lines: list[str] = []
    with recording_failure(data):
        yield lines
    data.audit_change("; ".join(lines)[:_MOST_CHARACTERS] or f"{subject[:60]}: nothing changed")


@contextmanager
def recording_failure(data: DataRequest) -> Iterator[None]:
    """Record that a request of an administrator failed.

    Raises:
        AuditUnavailable: it could not be recorded.
    """
    try:
        yield
    except Exception as error:
        data.audit_failure(problem_of(error).kind.name)
        raise


@contextmanager
def taking_turn(data: DataRequest) -> Iterator[None]:
    """Take the turn of the tenant for something that reads all of its charges.

    Raises:
        Busy: another such request of the tenant is being answered, or too many of others.
    """
    with data.services.calculations.turn(data.access.tenant_id) as is_free:
        if not is_free:
            raise Busy("a calculation of the tenant is running")
        yield


@contextmanager
def calculating(data: DataRequest) -> Iterator[None]:
    """Take the turn of the tenant to try something out; record it if that fails.

    Raises:
        Busy: another such request of the tenant is being answered, or too many of others.
        AuditUnavailable: a failure could not be recorded.
    """
    with recording_failure(data), taking_turn(data):
        yield


def listed(data: DataRequest, rows: Iterable[Any], **fields: Any) -> Response:
    """Answer with rows that only an administrator sees; the access is recorded first.

    Raises:
        AuditUnavailable: the access could not be recorded.
    """
    answered = list(rows)
    data.audit(len(answered))
    return answer_changed(data, rows=answered, **fields)


def answer_changed(data: DataRequest, status: int = 200, **fields: Any) -> Response:
    """Answer with fields after the name of the tenant; the access is recorded already."""
    body = {"tenant": data.access.tenant, **fields}
    return Response(exact_json(body), status, media_type=JSON)
