"""Whether a tenant, source or project is in use: active, disabled or removed.

Put here: the states, and the refusal of work on what is not active. Keep out: changing a state
(application/lifecycle_changes.py), deleting data (application/purge.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from finops_pipeline.errors import RegistryError


class Lifecycle(StrEnum):
    """Whether a declaration is in use.

    A disabled source or tenant is not ingested, and its data stays. The charges of a disabled
    project are in `unassigned`. A removed source or tenant is no longer declared, and its data
    stays until it is purged; a removed project, or a source without data, leaves no trace.
    """

    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


class Declared(Protocol):
    """A tenant, source or project."""

    @property
    def state(self) -> Lifecycle:
        """Whether it is in use."""


def require_active(kind: str, name: str, declared: Declared) -> None:
    """Refuse work on what is disabled or removed.

    Args:
        kind: the word for it: tenant, source or project.
        name: its full name, such as `acme/payer`.

    Raises:
        RegistryError: it is not active; the cure is the command that makes it so.
    """
    if declared.state is not Lifecycle.ACTIVE:
        raise RegistryError(
            f"{kind} {name} is {declared.state}",
            f"an active {kind}",
            f"Make it active: finops {kind} enable {name}",
        )
