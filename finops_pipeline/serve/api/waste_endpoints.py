"""Endpoints for waste: the findings of the rules.

Put here: which findings, and their order. Keep out: reading pages (answer_pages.py), rules
(marts/waste_rules), realised savings, which are a listed table (table_endpoints.py).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.contracts.waste_tables import WASTE_FINDINGS
from finops_pipeline.serve.api.answer_pages import PageReader, require_in_grant
from finops_pipeline.serve.api.data_request import Content, Data, respond
from finops_pipeline.serve.api.request_parameters import WasteParameters
from finops_pipeline.serve.open_warehouses import OpenWarehouse


def list_waste(data: Data, parameters: Annotated[WasteParameters, Query()]) -> Response:
    """List what could be saved in 30 days, the largest savings first, and what is unknown.

    Add up `counted_saving`: several findings may be about the same money.
    """
    given = {
        "project": parameters.project,
        "rule": parameters.rule,
        "state": parameters.state and parameters.state.value,
        "status": parameters.status and parameters.status.value,
    }

    def read(warehouse: OpenWarehouse) -> Content:
        require_in_grant(data.access, WASTE_FINDINGS)
        return PageReader(data, parameters).read_sql(_FINDINGS, warehouse, given)

    return respond(data, read)


_FINDINGS = """
select *
from waste_findings
where coalesce(project = $project, $project is null)
    and coalesce(rule = $rule, $rule is null)
    and coalesce(state = $state, $state is null)
    and coalesce(status = $status, $status is null)
order by billing_currency, counted_saving desc, cost desc, finding_id
"""
