"""The part of the warehouse that one connection may show: a tenant, or some of its projects.

Put here: the key of every pool, cache, cursor and ETag. Keep out: who has it (access), the files
that hold it (warehouse_pool.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from finops_pipeline.tenants.project_identity import ProjectIdentity


@dataclass(frozen=True, order=True)
class DataScope:
    """A tenant, or some projects of it.

    `projects`: names, sorted and unique; None: the whole tenant. An empty tuple shows no project.
    `identities`: which projects these names mean; none: those that are declared when it is opened.
    """

    tenant: str
    projects: tuple[str, ...] | None = None
    identities: tuple[ProjectIdentity, ...] = ()

    def __post_init__(self) -> None:
        if self.projects is not None:
            object.__setattr__(self, "projects", tuple(sorted(set(self.projects))))
            object.__setattr__(self, "identities", tuple(sorted(set(self.identities))))

    @classmethod
    def of(cls, tenant: str, projects: Collection[ProjectIdentity] | None) -> DataScope:
        """Return the scope of a tenant, or of some of its projects."""
        if projects is None:
            return cls(tenant)
        return cls(tenant, tuple(p.name for p in projects), tuple(projects))

    @property
    def is_whole_tenant(self) -> bool:
        """Whether it shows everything that the tenant has."""
        return self.projects is None
