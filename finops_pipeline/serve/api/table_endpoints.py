"""Endpoints that list rows of a table of the tenant's file: projects, statements, states, …

Put here: which table is at which address. Keep out: reading pages (answer_pages.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.proofs import RECONCILIATION
from finops_pipeline.contracts.resource_inventory import INVENTORY_COVERAGE, RESOURCES
from finops_pipeline.contracts.resource_usage import METRIC_COVERAGE, RESOURCE_METRICS
from finops_pipeline.contracts.statement_tables import (
    STATEMENT_DIFFERENCES,
    STATEMENT_PREVIEW,
    STATEMENTS,
)
from finops_pipeline.contracts.tables import ACCOUNTS, DATA_STATUS, PROJECTS
from finops_pipeline.contracts.waste_tables import SAVINGS_REALISED
from finops_pipeline.serve.api.answer_pages import PageReader, has_months
from finops_pipeline.serve.api.data_request import Content, Data, respond
from finops_pipeline.serve.api.request_parameters import PageParameters, SpanParameters
from finops_pipeline.serve.open_warehouses import OpenWarehouse

LISTED_TABLES = {
    "/projects": PROJECTS,
    "/accounts": ACCOUNTS,
    "/statements": STATEMENTS,
    "/statements/preview": STATEMENT_PREVIEW,
    "/statements/differences": STATEMENT_DIFFERENCES,
    "/status": DATA_STATUS,
    "/reconciliation": RECONCILIATION,
    "/savings": SAVINGS_REALISED,
    "/resources": RESOURCES,
    "/resource-metrics": RESOURCE_METRICS,
    "/inventory-coverage": INVENTORY_COVERAGE,
    "/metric-coverage": METRIC_COVERAGE,
}
"""Address below a tenant -> the table that it lists."""


def table_endpoint(table: Table) -> Callable[..., Any]:
    """Return the endpoint that lists the rows of a table, by month if it has months."""

    def list_rows(data: Data, parameters: Annotated[PageParameters, Query()]) -> Response:
        return respond(data, partial(PageReader(data, parameters).read_table, table))

    def list_months(data: Data, parameters: Annotated[SpanParameters, Query()]) -> Response:
        return respond(data, partial(PageReader(data, parameters).read_table, table))

    return list_months if has_months(table) else list_rows


def list_environments(data: Data, parameters: Annotated[PageParameters, Query()]) -> Response:
    """List the environments of the tenant's projects, with the projects of each."""

    def read(warehouse: OpenWarehouse) -> Content:
        return PageReader(data, parameters).read_sql(_ENVIRONMENTS, warehouse)

    return respond(data, read)


_ENVIRONMENTS = (
    "select environment, list(project order by project) as projects from projects"
    " group by environment order by environment nulls first"
)
