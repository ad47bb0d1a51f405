"""moto's server, changed to enforce what moto ignores: the external id in a role's trust policy.

Put here: the one patch, and starting the server: `python -m tests.support.moto_server PORT`. Keep
out: everything that moto does by itself.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.server import main
from moto.sts.models import STSBackend


class AccessDenied(ServiceException):
    """The answer of STS when a trust policy does not admit the caller."""

    code = "AccessDenied"


def _lets_in(role_arn: str, external_id: str | None) -> bool:
    """Whether a role exists and one of its statements allows this external id."""
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    roles = iam_backends[account][partition].get_roles()
    for role in roles:
        if role.arn == role_arn:
            policy = json.loads(role.assume_role_policy_document)
            conditions = [
                s.get("Condition", {}).get("StringEquals", {}) for s in policy["Statement"]
            ]
            return any(w.get("sts:ExternalId", external_id) == external_id for w in conditions)
    return False


def enforce() -> None:
    """Make moto refuse a role that does not exist or that has another external id."""
    assume = STSBackend.assume_role

    def checked(self: STSBackend, **arguments: Any) -> Any:
        if not _lets_in(arguments["role_arn"], arguments["external_id"]):
            raise AccessDenied(
                f"User is not authorized to perform sts:AssumeRole on {arguments['role_arn']}"
            )
        return assume(self, **arguments)

    STSBackend.assume_role = checked  # type: ignore[method-assign]


if __name__ == "__main__":
    enforce()
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
