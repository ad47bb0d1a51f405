"""The part of the warehouse that one connection may show: a tenant, or some of its projects.

Put here: the key of every pool, cache, cursor and ETag. Keep out: who has it (access), the files
that hold it (warehouse_pool.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class DataScope:
    """A tenant, or some projects of it.

    `projects`: names, sorted and unique; None: the whole tenant. An empty tuple shows no project.
    """

    tenant: str
    projects: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.projects is not None:
            object.__setattr__(self, "projects", tuple(sorted(set(self.projects))))

    @property
    def is_whole_tenant(self) -> bool:
        """Whether it shows everything that the tenant has."""
        return self.projects is None
