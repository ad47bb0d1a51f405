"""Endpoints that export whole tables of the tenant's file.

Put here: which tables can be exported, and how an export is recorded. Keep out: formats
(export_streams.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from finops_pipeline.application.progress import Months
from finops_pipeline.application.tenant_export import INTERNAL_TABLES
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.errors import (
    NotAuthenticated,
    NotGranted,
    PermissionMissing,
    QueryRefused,
    Unknown,
    did_you_mean,
)
from finops_pipeline.serve.api.answer_pages import (
    has_months,
    is_in_grant,
    require_in_grant,
    table_sql,
)
from finops_pipeline.serve.api.data_request import JSON, Data
from finops_pipeline.serve.api.export_streams import (
    MEDIA_TYPES,
    ExportedRows,
    ExportResponse,
    Portions,
    RowCount,
)
from finops_pipeline.serve.api.problem_details import HTTP_VERSION, Problem
from finops_pipeline.serve.api.request_parameters import ExportParameters
from finops_pipeline.serve.exact_json import exact_json


def exportable_tables() -> dict[str, Table]:
    """Return the tables that can be exported, by name."""
    return {table.name: table for table in TABLES if table.name not in INTERNAL_TABLES}


def list_exports(data: Data) -> Response:
    """List the tables that can be exported, with their meaning."""
    tables = [
        {"table": name, "meaning": table.meaning, "has_months": has_months(table)}
        for name, table in sorted(exportable_tables().items())
        if is_in_grant(data.access, table)
    ]
    data.audit(0)
    return Response(exact_json({"tables": tables}), media_type=JSON)


def export_table(
    data: Data,
    table: Annotated[str, Path(description="Name of the table.", examples=["monthly_costs"])],
    parameters: Annotated[ExportParameters, Query()],
) -> Response:
    """Export a table as CSV, Parquet or an Arrow stream, without a limit of rows.

    In CSV, text that a spreadsheet would run as a formula has a `'` in front. If the connection
    ends before the answer is complete, the export has failed, or your access was revoked.
    """
    _require_chunks(data)
    chosen = _find_table(table)
    require_in_grant(data.access, chosen)
    span = _span_of(chosen, parameters)
    count = RowCount()
    portions = _portions(data, table_sql(chosen, span, is_ordered=False), count, parameters.format)
    what = f"{table} as {parameters.format}"
    begun = next(portions)
    try:
        data.audit(None, f"{what}, begun")
    except BaseException:
        portions.close()
        raise
    response = ExportResponse(
        _recording(data, count, what, _joined(begun, portions)),
        MEDIA_TYPES[parameters.format.value],
        data.services.send_seconds,
    )
    name = f"{data.access.tenant}-{table}.{parameters.format.value}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _require_chunks(data: Data) -> None:
    """Refuse an export over HTTP/1.0, where one that fails looks like a complete one.

    Raises:
        Problem: the request came by HTTP/1.0.
    """
    if data.record.http_version == "1.0":
        raise Problem(
            HTTP_VERSION,
            "the request came by HTTP/1.0, which cannot say that an export is complete",
            "HTTP/1.1",
            "In nginx, write before proxy_pass: proxy_http_version 1.1;",
        )


def _find_table(name: str) -> Table:
    tables = exportable_tables()
    if name not in tables:
        raise Unknown(
            f"there is no table {name[:60]!r} to export",
            "one of the tables that GET …/exports lists",
            did_you_mean(name, tables).rstrip(),
        )
    return tables[name]


def _span_of(table: Table, parameters: ExportParameters) -> Months:
    span = Months(parameters.start, parameters.end)
    if span != Months() and not has_months(table):
        raise QueryRefused(f"{table.name} has no months", "neither start nor end", "Leave them out")
    if span.first and span.last and span.first > span.last:
        raise QueryRefused(f"start {span.first} is after end {span.last}", "a start before the end")
    return span


def _portions(
    data: Data, statement: tuple[str, Mapping[str, Any]], count: RowCount, format: str
) -> Portions:
    """Yield the rows of a statement in a format; count them."""
    with data.open_export() as exported:
        yield from ExportedRows(exported, *statement, count).portions(format)


def _joined(begun: bytes, portions: Portions) -> Portions:
    try:
        yield from filter(None, chain((begun,), portions))
    finally:
        portions.close()


def _recording(data: Data, count: RowCount, what: str, portions: Portions) -> Portions:
    """Yield an export, each portion after its caller was verified again.

    Its rows are recorded when it has ended, however it has: they have left.

    Raises:
        NotAuthenticated, NotGranted, PermissionMissing: the access was taken meanwhile.
    """
    ending, sent = "ended early", 0
    try:
        for portion in portions:
            data.verify_again()
            data.record.rows = sent = count.rows
            yield portion
        ending = "complete"
    except (NotAuthenticated, NotGranted, PermissionMissing):
        ending = "stopped, because the access was revoked or changed"
        raise
    finally:
        portions.close()
        data.audit_end(sent, f"{what}, {ending}")
