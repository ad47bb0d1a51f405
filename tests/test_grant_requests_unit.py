"""What a request for a grant means before anything is looked up.

Put here: the limits of a grant in a request's body. Keep out: giving it over HTTP
(test_api_grants.py), which grants can be given (test_access_administration.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from finops_pipeline.serve.api.request_parameters import GrantRequest

ASKED = {"principal": "acme/ci", "role": "viewer"}


@pytest.mark.parametrize(
    "limits",
    [{"projects": []}, {"environments": []}, {"projects": ["prod"], "environments": ["test"]},
     {"projects": [], "environments": ["test"]}, {"projects": None}, {"environments": None}],
    ids=str,
)  # fmt: skip
def test_an_empty_limit_is_refused_and_is_not_the_whole_tenant(limits: dict[str, Any]) -> None:
    """A program that looked for projects and found none must not give all of them."""
    with pytest.raises(ValidationError):
        GrantRequest.model_validate(ASKED | limits)


def test_limits_are_left_out_for_the_whole_tenant() -> None:
    assert GrantRequest.model_validate(ASKED).projects == []
    assert GrantRequest.model_validate(ASKED | {"projects": ["prod"]}).projects == ["prod"]
