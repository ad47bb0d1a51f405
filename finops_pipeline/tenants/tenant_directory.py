"""Identities of tenants for a server, which asks for one at every request.

Put here: reading them over connections that stay open. Keep out: what an identity is
(tenant_identity.py), everything else of the registry (registry.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from finops_pipeline.database.live_engine import LiveEngine
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.registry_tables import SCHEMA
from finops_pipeline.tenants.tenant_identity import (
    DeclaredProject,
    TenantIdentity,
    load_identities,
    load_identity,
    load_projects,
)

_NEWEST = "finops_is_newest"


class TenantDirectory:
    """The identities of a registry as they are now; nothing is cached.

    A registry on a database server, of an older version, missing or damaged is left to `Registry`,
    which raises RegistryError if it cannot be used.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._live = LiveEngine(registry.file.path) if registry.file else None

    def identity(self, name: str) -> TenantIdentity | None:
        """Read the identity of the tenant with a name; None if there is none."""
        with self._reading() as db:
            return self._registry.identity(name) if db is None else load_identity(db, name)

    def identities(self, external_ids: Collection[str]) -> list[TenantIdentity]:
        """Read the identities of the tenants with these external ids, by name."""
        with self._reading() as db:
            if db is None:
                return self._registry.identities(external_ids)
            return load_identities(db, external_ids)

    def projects(self, name: str) -> list[DeclaredProject]:
        """Read the identities and environments of all projects of a tenant."""
        with self._reading() as db:
            return self._registry.projects(name) if db is None else load_projects(db, name)

    def close(self) -> None:
        """Close the connections that no thread is using."""
        if self._live:
            self._live.close()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        file = self._registry.file
        engine = self._live.current() if self._live else None
        if file is None or engine is None:
            yield None
            return
        with file.explained(), engine.connect() as db:
            if not db.info.get(_NEWEST):
                db.info[_NEWEST] = SCHEMA.check_version(db) == SCHEMA.newest
            yield db if db.info[_NEWEST] else None
