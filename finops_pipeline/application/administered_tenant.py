"""A tenant whose own administrator reads or changes its declaration.

Put here: making sure that it is still the tenant for which the administrator was verified. Keep
out: what is changed (project_declarations.py, rule_declarations.py), who may do it (serve/access).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import NotGranted
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import Tenant

REQUEST = Path("the request")
"""Stands in messages where a tenants.yaml would be named."""


@dataclass(frozen=True)
class AdministeredTenant:
    """A tenant by its name and the external id that no later tenant of this name has."""

    installation: Installation
    name: str
    external_id: str

    def read(self) -> Tenant:
        """Read the declaration.

        Raises:
            NotGranted: it was removed, or another tenant has the name now.
        """
        identity = self.installation.registry.identity(self.name)
        is_same = identity is not None and identity.external_id == self.external_id
        if identity is None or not is_same or identity.state is Lifecycle.REMOVED:
            raise NotGranted(f"tenant {self.name} is not the one for which access was verified")
        return self.installation.registry.tenant(self.name)

    @contextmanager
    def changing(self) -> Iterator[Tenant]:
        """Read the declaration, and keep others from changing the registry meanwhile.

        Raises:
            NotGranted: it was removed, or another tenant has the name now.
            RegistryBusy: another process is changing the registry.
        """
        with self.installation.registry.locked():
            yield self.read()
