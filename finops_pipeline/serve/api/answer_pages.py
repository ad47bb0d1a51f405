"""Pages of rows: of a table of the tenant's file, or of a query of the library.

Put here: reading one page, its cursor, the facts that go with it. Keep out: which tables and
queries (table_endpoints.py, report_endpoints.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from finops_pipeline.application.path_free_text import path_free_columns
from finops_pipeline.application.progress import Months
from finops_pipeline.contracts.column import Table
from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import ident
from finops_pipeline.marts.scoped_tables import ScopeRule, scope_rules
from finops_pipeline.marts.use_cases import bind_parameters, use_case
from finops_pipeline.serve.access.verified_access import Access
from finops_pipeline.serve.api.data_request import Content, DataRequest
from finops_pipeline.serve.api.problem_details import NOT_IN_GRANT, Problem
from finops_pipeline.serve.api.request_parameters import PageParameters, SpanParameters
from finops_pipeline.serve.caveats import RECONCILED_STATES
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.questions.file_facts import FileFacts
from finops_pipeline.serve.worker_connection import WorkerConnection

Records = Sequence[Mapping[str, Any]]
PERIOD = "billing_period"


@dataclass(frozen=True)
class PageReader:
    """Reads one page of rows for a request."""

    data: DataRequest
    parameters: PageParameters

    @property
    def span(self) -> Months:
        """The months that were asked for.

        Raises:
            QueryRefused: the last is before the first.
        """
        if not isinstance(self.parameters, SpanParameters):
            return Months()
        first, last = self.parameters.start, self.parameters.end
        if first and last and first > last:
            raise QueryRefused(f"start {first} is after end {last}", "a start before the end")
        return Months(first, last)

    def read_table(self, table: Table, warehouse: OpenWarehouse) -> Content:
        """Read a page of a table, in the order of its grain.

        Raises:
            Problem: the caller's grant is limited to projects, and the table is about all of them.
        """
        require_in_grant(self.data.access, table)
        sql, values = table_sql(table, self.span)
        return self.read_sql(sql, warehouse, values)

    def read_sql(
        self, sql: str, warehouse: OpenWarehouse, values: Mapping[str, Any] | None = None
    ) -> Content:
        """Read a page of the rows of an ordered SELECT of ours."""
        offset = self._offset(warehouse)
        limits = {"rows_before": offset, "rows_read": self.parameters.page_size + 1}
        connection = warehouse.sandbox.execute(
            f"{sql} limit $rows_read offset $rows_before", {**(values or {}), **limits}
        )
        return self._content(warehouse, offset, _records(connection, connection.fetchall()))

    def read_query(self, query: LibraryQuery, warehouse: OpenWarehouse) -> Content:
        """Read a page of the answer to a query of the library."""
        offset, span = self._offset(warehouse), self.span
        case = use_case(query.name)
        values = bind_parameters(case, span.first, span.last, query.parameters)
        connection = warehouse.sandbox.execute(case.sql, values)
        rows = (row for portion in connection.portions() for row in portion)
        page = islice(rows, offset, offset + self.parameters.page_size + 1)
        return self._content(warehouse, offset, _records(connection, page))

    def _offset(self, warehouse: OpenWarehouse) -> int:
        cursor = self.parameters.cursor
        if cursor is None:
            return 0
        seal = self.data.services.seal
        return seal.read_cursor(self.data.asking, warehouse.generation, cursor)

    def _content(self, warehouse: OpenWarehouse, offset: int, records: Records) -> Content:
        size = self.parameters.page_size
        cursor = None
        if len(records) > size:
            seal = self.data.services.seal
            cursor = seal.cursor(self.data.asking, warehouse.generation, offset + size)
        page = records[:size]
        body = {
            "tenant": self.data.access.tenant,
            "rows": page,
            "next_cursor": cursor,
            "unreconciled": _months_in_doubt(warehouse.asker.facts, self.span),
            "built_at": warehouse.asker.facts.built_at,
        }
        return Content(body, len(page))


@dataclass(frozen=True)
class LibraryQuery:
    """A query of the library with the values of its own parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def _months_in_doubt(facts: FileFacts, span: Months) -> list[dict[str, str]]:
    """List the months of a span that are not reconciled, by source."""
    return [
        {"billing_period": m.billing_period, "source": m.source, "state": m.state}
        for m in facts.months
        if m.billing_period in span and m.state not in RECONCILED_STATES
    ]


def _records(connection: WorkerConnection, rows: Iterable[Sequence[Any]]) -> Records:
    names = [column[0] for column in connection.description or []]
    return [dict(zip(names, row, strict=True)) for row in rows]


def is_in_grant(access: Access, table: Table) -> bool:
    """Return whether a grant shows a table: one that is limited to projects has no others."""
    rule = scope_rules().get(table.name, ScopeRule.ABSENT)
    return access.scope.is_whole_tenant or rule is not ScopeRule.ABSENT


def require_in_grant(access: Access, table: Table) -> None:
    """Check that a grant shows a table.

    Raises:
        Problem: the grant is limited to projects, and the table is about all of them.
    """
    if not is_in_grant(access, table):
        raise Problem(
            NOT_IN_GRANT,
            f"{table.name} is about all projects together, and your grant is limited to some",
            "a grant of the whole tenant",
            "Ask an administrator of the tenant, or ask for costs and states of your projects",
        )


def has_months(table: Table) -> bool:
    """Return whether a table has a column of billing periods."""
    return any(column.name == PERIOD for column in table.columns)


def table_sql(table: Table, span: Months, is_ordered: bool = True) -> tuple[str, dict[str, Any]]:
    """Return the SELECT of a table's rows, and its values. Every name is from the contract.

    Args:
        table: the table.
        span: its months, if it has months.
        is_ordered: in the order of its grain.
    """
    path_free = path_free_columns(table)
    names = [column.name for column in table.columns]
    columns = ", ".join(
        f"{path_free[name]} as {ident(name)}" if name in path_free else ident(name)
        for name in names
    )
    order = ", ".join(f"{ident(name)} nulls first" for name in table.grain)
    conditions, values = [], {}
    if span.first is not None:
        conditions.append(f"{ident(PERIOD)} >= $first_period")
        values["first_period"] = span.first
    if span.last is not None:
        conditions.append(f"{ident(PERIOD)} <= $last_period")
        values["last_period"] = span.last
    where = f" where {' and '.join(conditions)}" if conditions else ""
    order = f" order by {order}" if is_ordered else ""
    return f"select {columns} from {ident(table.name)}{where}{order}", values
