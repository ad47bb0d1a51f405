"""The API does what its OpenAPI document says, whatever is sent: Schemathesis asks a real server.

Put here: generated requests to every operation: no failure of the server, answers and refusals as
described. Keep out: examples (test_api_answers.py), foreign data (test_api_isolation.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.endpoint_table import endpoints
from tests.support.marked_tenants import make_marked_tenants
from tests.support.serve_process import serve
from tests.support.served_tenants import give_token

EXAMPLES, TORTURE_EXAMPLES = 8, 150
"""Requests of each operation and kind: those that fit the document, and those that do not."""
MOST_HEAD_CHARACTERS = 10_000
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
OPERATIONS = [f"{endpoint.method} {endpoint.path}" for endpoint in endpoints()]


@dataclass(frozen=True)
class Described:
    """The document of a running server, and a token of acme's administrator."""

    schema: Any
    token: str
    answered: set[str]
    """Operations that answered at least one request as asked."""

    def ask(self, name: str, mode: Any, examples: int) -> None:
        """Send generated requests to an operation of acme; check each answer."""
        method, _, path = name.partition(" ")
        operation = self.schema[f"/v1{path}"][method]
        headers = {"Authorization": f"Bearer {self.token}"}

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=examples == EXAMPLES,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        def send(case: Any) -> None:
            if "tenant" in (case.path_parameters or {}):
                case.path_parameters["tenant"] = "acme"
            # uvicorn ends a connection whose head is longer than 64 KB, without reading the rest.
            assume(len(case.as_curl_command(headers)) < MOST_HEAD_CHARACTERS)
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                self.answered.add(name)

        send()


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """Two tenants, served by a process; globex is there, too, and nobody asks for it."""
    marked = make_marked_tenants(tmp_path_factory.mktemp("described"))
    token = give_token(marked.made.installation, "acme/admin", Role.ADMIN)
    with serve(marked.made.data, FINOPS_SERVE_REQUESTS_PER_MINUTE="1000000") as server:
        yield Described(schemathesis.openapi.from_url(f"{server.url}/openapi.json"), token, set())


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_answers_as_described(described: Described, name: str, mode: Any) -> None:
    described.ask(name, mode, EXAMPLES)


def test_requests_that_fit_are_answered(described: Described) -> None:
    """An API that refuses everything would pass the tests above, which come first."""
    assert len(described.answered) >= 15, described.answered


@pytest.mark.torture
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_answers_many_as_described(
    described: Described, name: str, mode: Any
) -> None:
    described.ask(name, mode, TORTURE_EXAMPLES)
