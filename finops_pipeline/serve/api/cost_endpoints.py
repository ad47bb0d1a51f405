"""Endpoints that answer questions about costs.

Put here: a question as parameters, as a JSON object, or as SQL. Keep out: what it means
(serve/questions), what SQL may do (serve/guard.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.errors import counted
from finops_pipeline.serve.api.data_request import Content, Data, respond, respond_to_post
from finops_pipeline.serve.api.request_parameters import CostParameters, SqlRequest
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.queries import Answer, Row
from finops_pipeline.serve.queries import Query as Statement
from finops_pipeline.serve.questions.answer_data import answer_data, read_conditions
from finops_pipeline.serve.questions.question import Question, read_question

_NAMED = ("project", "environment", "account", "region", "service")
_OWN = {*_NAMED, "where"}
MOST_ANSWER_CHARACTERS = 20_000_000
"""Of an answer to SQL in JSON, which the server holds as a whole; about 20 MB."""
_CHARACTERS_OF_VALUE = 24
"""Of a number, a time or a key, generously."""


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
    answer = warehouse.asker.ask(question, data.day)
    return Content(answer_data(data.access.tenant, answer), len(answer.rows))


def run_sql(data: Data, request: SqlRequest) -> Response:
    """Run one SELECT on the tenant's data; it can read only this tenant's data."""

    def read(warehouse: OpenWarehouse) -> Content:
        answer = Answer(warehouse.sandbox, Statement(request.sql, request.values))
        answer.execute()
        rows, is_truncated = _collect(answer.rows(), request.limit)
        notes = [answer.caveat(data.access.tenant)]
        if is_truncated and len(rows) < request.limit:
            notes.append(f"cut after {counted(len(rows), 'row')}: more would be too large for JSON")
        body = {
            "tenant": data.access.tenant,
            "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
            "rows": rows,
            "truncated": is_truncated,
            "notes": [note for note in notes if note],
        }
        return Content(body, len(rows))

    return respond_to_post(data, read)


def _collect(rows: Iterable[Row], limit: int) -> tuple[list[Row], bool]:
    """Return the rows that an answer may have, and whether there are more."""
    taken: list[Row] = []
    left = MOST_ANSWER_CHARACTERS
    for row in rows:
        left -= _characters(row)
        if len(taken) == limit or left < 0:
            return taken, True
        taken.append(row)
    return taken, False


def _characters(value: Any) -> int:
    """Return how many characters a value takes as text, roughly."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, bytes):
        return 2 * len(value)
    if isinstance(value, dict):
        return sum(_characters(key) + _characters(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return _CHARACTERS_OF_VALUE + sum(map(_characters, value))
    return _CHARACTERS_OF_VALUE
