"""Endpoints that answer a query of the library: drivers, commitments, tags, data transfer.

Put here: which parameters a query gets. Keep out: the queries (marts/queries), reading pages
(answer_pages.py).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.serve.api.answer_pages import LibraryQuery, PageReader
from finops_pipeline.serve.api.data_request import Data, respond
from finops_pipeline.serve.api.request_parameters import (
    CommitmentParameters,
    DriverParameters,
    PageParameters,
    SpanParameters,
    TagParameters,
    TransferParameters,
)


def list_drivers(data: Data, parameters: Annotated[DriverParameters, Query()]) -> Response:
    """Show what changed most between two periods, and why: usage, price, mix, new, gone.

    Without months, the newest is compared with the one before.
    """
    given = {
        "by": parameters.by.value,
        "least": parameters.least,
        "before_from": parameters.before_start or "",
        "before_to": parameters.before_end or "",
    }
    return _respond(data, parameters, LibraryQuery("movers", given))


def list_commitments(data: Data, parameters: Annotated[CommitmentParameters, Query()]) -> Response:
    """List the reservations and Savings Plans of the newest month, those that end first on top."""
    days = parameters.days
    given = {} if days is None else {"days": str(days)}
    return _respond(data, parameters, LibraryQuery("commitments", given))


def list_tag_coverage(data: Data, parameters: Annotated[TagParameters, Query()]) -> Response:
    """Show how much of the taggable cost of each service has a tag."""
    given = {"tag": parameters.tag, "kind": parameters.kind.value}
    return _respond(data, parameters, LibraryQuery("tag_coverage", given))


def list_required_tag_coverage(
    data: Data, parameters: Annotated[SpanParameters, Query()]
) -> Response:
    """Show how much of each project's cost meets the declared sets of required tags."""
    return _respond(data, parameters, LibraryQuery("required_tag_coverage"))


def list_data_transfer(data: Data, parameters: Annotated[TransferParameters, Query()]) -> Response:
    """Show the costs of data transfer, by kind and direction."""
    return _respond(data, parameters, LibraryQuery("data_transfer", {"least": parameters.least}))


def _respond(data: Data, parameters: PageParameters, query: LibraryQuery) -> Response:
    return respond(data, partial(PageReader(data, parameters).read_query, query))
