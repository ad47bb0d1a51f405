"""Endpoints that answer questions about costs.

Put here: a question as parameters, as a JSON object, or as SQL. Keep out: what it means
(serve/questions), what SQL may do (serve/guard.py).
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.serve.api.data_request import Content, Data, respond, respond_to_post
from finops_pipeline.serve.api.request_parameters import CostParameters, SqlRequest
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.queries import Answer
from finops_pipeline.serve.queries import Query as Statement
from finops_pipeline.serve.questions.answer_data import answer_data, read_conditions
from finops_pipeline.serve.questions.question import Question, read_question

_NAMED = ("project", "environment", "account", "region", "service")
_OWN = {*_NAMED, "where"}


def get_costs(data: Data, parameters: Annotated[CostParameters, Query()]) -> Response:
    """Answer a question about costs: of everything, or of some projects or services."""
    conditions = [f"{name}={value}" for name in _NAMED for value in getattr(parameters, name)]
    question = read_question(
        {
            **parameters.model_dump(exclude=_OWN),
            "filters": read_conditions([*conditions, *parameters.where]),
        }
    )
    return respond(data, partial(_ask, data, question))


def ask_costs(data: Data, question: Question) -> Response:
    """Answer a question about costs that is a JSON object."""
    return respond_to_post(data, partial(_ask, data, question))


def _ask(data: Data, question: Question, warehouse: OpenWarehouse) -> Content:
    answer = warehouse.asker.ask(question)
    return Content(answer_data(data.access.tenant, answer), len(answer.rows))


def run_sql(data: Data, request: SqlRequest) -> Response:
    """Run one SELECT on the tenant's data; it can read only this tenant's data."""

    def read(warehouse: OpenWarehouse) -> Content:
        answer = Answer(warehouse.sandbox, Statement(request.sql, request.values))
        answer.execute()
        rows = list(islice(answer.rows(), request.limit + 1))
        body = {
            "tenant": data.access.tenant,
            "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
            "rows": rows[: request.limit],
            "truncated": len(rows) > request.limit,
            "notes": [caveat] if (caveat := answer.caveat(data.access.tenant)) else [],
        }
        return Content(body, len(rows[: request.limit]))

    return respond_to_post(data, read)
