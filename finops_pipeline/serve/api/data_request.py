"""One request for a tenant's data: opening it, recording the access, answering.

Put here: the only way from an endpoint to data, and what is recorded before an answer leaves. Keep
out: which data (the endpoints), who may have it (verified_route.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from finops_pipeline import clock
from finops_pipeline.errors import FinopsError, Unknown
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome
from finops_pipeline.serve.access.authorization import not_granted
from finops_pipeline.serve.access.verified_access import Access
from finops_pipeline.serve.api.api_services import ApiServices, services_of
from finops_pipeline.serve.api.error_problems import problem_of
from finops_pipeline.serve.api.problem_details import NO_DATA_YET, Problem
from finops_pipeline.serve.api.request_record import RequestRecord, record_of
from finops_pipeline.serve.api.sealed_values import Asking
from finops_pipeline.serve.exact_json import exact_json
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.queries import refusing_errors
from finops_pipeline.serve.warehouse_pool import ExportedWarehouse

JSON = "application/json"
_NOT_MODIFIED = 304
_CURSOR = "cursor"


@dataclass(frozen=True)
class Content:
    """What an endpoint read: the answer's body, and how many rows of the tenant's it has."""

    body: Mapping[str, Any]
    rows: int


Read = Callable[[OpenWarehouse], Content]


@dataclass(frozen=True)
class DataRequest:
    """A request whose caller may have the tenant's data.

    `asking`: what all pages of an answer have in common. `whole_request`: with the cursor of this
    page. `known_tags`: of answers that the caller has. `day`: on which it came; an answer and its
    tag are of the same day, also at midnight.
    """

    services: ApiServices
    record: RequestRecord
    access: Access
    asking: Asking
    whole_request: str
    action: str
    known_tags: tuple[str, ...]
    day: date

    @contextmanager
    def open_warehouse(self) -> Iterator[OpenWarehouse]:
        """Open the data that the caller may see; errors of DuckDB become refusals.

        Raises:
            QueryRefused: DuckDB cannot answer.
            Problem: nothing has been built for the tenant yet.
        """
        access = self.access
        opened = self.services.pool.open(access.scope, access.principal_id)
        with self._recording_failure(), ExitStack() as stack:
            with self.naming_missing_data():
                warehouse = stack.enter_context(opened)
            stack.enter_context(refusing_errors(warehouse.sandbox.folder))
            yield warehouse

    @contextmanager
    def open_export(self) -> Iterator[ExportedWarehouse]:
        """Open the same for an answer that is sent while it is read.

        Raises:
            QueryRefused: DuckDB cannot answer.
            Problem: nothing has been built for the tenant yet.
        """
        access = self.access
        opened = self.services.pool.open_export(access.scope, access.principal_id)
        with self._recording_failure(), ExitStack() as stack:
            with self.naming_missing_data():
                exported = stack.enter_context(opened)
            stack.enter_context(refusing_errors(exported.warehouse.sandbox.folder))
            yield exported

    @contextmanager
    def _recording_failure(self) -> Iterator[None]:
        try:
            yield
        except (FinopsError, Problem) as error:
            # Recorded, too: refused SQL, or somebody else's cursor, may be an attack. If rows have
            # left already, the entry of the end says how many.
            rows = 0 if self.record.rows is None else None
            self._record(Outcome.FAILED, rows, problem_of(error).kind.name)
            raise

    @contextmanager
    def naming_missing_data(self) -> Iterator[None]:
        """Report that a tenant has no file yet.

        Raises:
            Problem: nothing has been built for the tenant yet.
        """
        try:
            yield
        except Unknown as error:
            raise Problem(
                NO_DATA_YET,
                "nothing has been built for this tenant yet",
                "a tenant whose bills were ingested",
                f"Ask whoever runs the server to run: finops ingest {self.access.tenant}",
            ) from error

    def entity_tag(self, generation: str) -> str:
        """Return the entity tag of the answer from a generation."""
        whole = replace(self.asking, request=self.whole_request)
        return self.services.seal.entity_tag(whole, generation, str(self.day))

    def audit(self, rows: int | None, detail: str = "") -> None:
        """Verify the access once more and record it; only then may data leave.

        A request may have waited for seconds. Meanwhile its grant may have been taken, or its
        tenant purged and another one declared under the name.

        Args:
            rows: how many leave; None: not known yet.

        Raises:
            NotGranted: the caller has not the same access any more.
            AuditUnavailable: it could not be recorded.
        """
        self.verify_again()
        self.record.rows = rows
        self._record(Outcome.SERVED, rows, detail)

    def audit_end(self, rows: int, detail: str) -> None:
        """Record how many rows have left when an answer has ended that was recorded as begun.

        Raises:
            AuditUnavailable: it could not be recorded.
        """
        self.record.rows = rows
        self._record(Outcome.SERVED, rows, detail)

    def audit_change(self, detail: str) -> None:
        """Record a change of the tenant: before it is made, and what came of it.

        Raises:
            AuditUnavailable: it could not be recorded.
        """
        self.record.rows = 0
        self._record(Outcome.CHANGED, 0, detail)

    def audit_failure(self, detail: str) -> None:
        """Record that nothing was given out or changed, and why.

        Raises:
            AuditUnavailable: it could not be recorded.
        """
        self._record(Outcome.FAILED, 0, detail)

    def verify_again(self) -> None:
        """Verify that the caller still has the same access.

        Raises:
            NotAuthenticated: the token was revoked or has expired.
            NotGranted: the caller has not the same access any more.
            PermissionMissing: the role does not permit the request any more.
            AuditUnavailable: that could not be recorded.
        """
        principal, needed = self.record.principal, self.record.needed
        assert principal is not None and needed is not None, "the route verifies before it answers"
        tenant, request_id = self.access.tenant, self.record.request_id
        now = self.services.access.authorize(principal, tenant, needed, request_id)
        if now != self.access:
            self._record(Outcome.REFUSED, 0, "the access was changed while the answer was read")
            raise not_granted(tenant)

    def _record(self, outcome: Outcome, rows: int | None, detail: str) -> None:
        assert self.record.principal is not None, "the route verifies before it answers"
        entry = AuditEntry.of(self.record.principal, self.action, outcome, self.access)
        request_id = self.record.request_id
        self.services.access.record(replace(entry, rows=rows, request_id=request_id, detail=detail))


def data_request(
    request: Request,
    tenant: Annotated[str, Path(description="Name of the tenant.", examples=["acme"])],
) -> DataRequest:
    """Return the request with the access that its route has verified."""
    record = record_of(request.scope)
    assert record.access is not None, "the route verifies before it answers"
    address = f"{request.method} {request.url.path}"
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    of_all_pages = urlencode([pair for pair in pairs if pair[0] != _CURSOR])
    return DataRequest(
        services_of(request),
        record,
        record.access,
        Asking(record.access, f"{address}?{of_all_pages}"),
        f"{address}?{urlencode(pairs)}",
        request.scope["route"].name,
        tuple(_tags(request.headers.get("if-none-match", ""))),
        clock.now().date(),
    )


Data = Annotated[DataRequest, Depends(data_request)]


def respond(data: DataRequest, read: Read) -> Response:
    """Answer a GET: by reading, or that nothing has changed since the caller asked before.

    Raises:
        AuditUnavailable: the access could not be recorded, so nothing is given out.
        Problem: nothing has been built for the tenant yet.
    """
    with data.naming_missing_data():
        tag = data.entity_tag(data.services.pool.generation(data.access.scope))
    if tag in data.known_tags:
        data.audit(0, "not modified since the caller asked before")
        return Response(status_code=_NOT_MODIFIED, headers={"ETag": tag})
    with data.open_warehouse() as warehouse:
        content = read(warehouse)
        tag = data.entity_tag(warehouse.generation)
    return _answer(data, content, {"ETag": tag})


def respond_to_post(data: DataRequest, read: Read) -> Response:
    """Answer a POST by reading.

    Raises:
        AuditUnavailable: the access could not be recorded, so nothing is given out.
        Problem: nothing has been built for the tenant yet.
    """
    with data.open_warehouse() as warehouse:
        content = read(warehouse)
    return _answer(data, content, {})


def _answer(data: DataRequest, content: Content, headers: Mapping[str, str]) -> Response:
    body = exact_json(content.body)
    data.audit(content.rows)
    return Response(body, media_type=JSON, headers=headers)


def _tags(header: str) -> Iterator[str]:
    """Yield the entity tags of an If-None-Match header."""
    for part in header.split(","):
        yield part.strip().removeprefix("W/")
