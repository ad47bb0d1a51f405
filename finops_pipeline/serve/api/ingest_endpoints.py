"""Endpoints to ask for an ingest, and to see what became of it.

Put here: requests and their states. Keep out: carrying them out (serve/ingest_runner.py).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from finops_pipeline.application.ingest_requests import IngestRequest, IngestRequests
from finops_pipeline.serve.api.data_request import Data
from finops_pipeline.serve.api.tenant_changes import (
    actor_of,
    administered,
    answer_changed,
    changing,
    listed,
    recording_failure,
)

RequestId = Annotated[
    str, Path(max_length=100, description="Id of the request.", examples=["0123456789abcdef"])
]
_ACCEPTED = 202


def list_ingests(data: Data) -> Response:
    """List the latest requests for an ingest, the newest first."""
    requests = IngestRequests(administered(data)).read_all()
    return listed(data, (request.model_dump(mode="json") for request in reversed(requests)))


def request_ingest(data: Data) -> Response:
    """Ask for an ingest of everything that AWS has delivered; it begins within seconds or later.

    If a request waits already, this one is the same. `status_url` says what became of it.
    """
    requests = IngestRequests(administered(data))
    with changing(data, "ingest") as lines:
        asked = requests.ask(actor_of(data).name)
        lines.append(f"request {asked.id}")
    data.services.ingests.wake()
    url = f"/v1/tenants/{data.access.tenant}/ingests/{asked.id}"
    answer = _described(data, asked, _ACCEPTED, url)
    answer.headers["Location"] = url
    return answer


def show_ingest(data: Data, request_id: RequestId) -> Response:
    """Show a request: whether it waits, runs, is done, or what failed.

    What failed is one month or source; the others were ingested. A command in a cure is for
    whoever runs the server.
    """
    with recording_failure(data):
        request = IngestRequests(administered(data)).find(request_id)
    data.audit(1)
    return _described(data, request, 200, f"/v1/tenants/{data.access.tenant}/ingests/{request.id}")


def _described(data: Data, request: IngestRequest, status: int, url: str) -> Response:
    return answer_changed(data, status, status_url=url, **request.model_dump(mode="json"))
