"""Shares of the tenants for several code locations, so that no asset has too many partitions.

Put here: which tenants a code location has, and how its assets are named. Keep out: partitions
(partitions.py), how many locations an operator declares (docs/operations.md).

A tenant stays in its share as long as the number of shares stays the same: the share follows from
its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from finops_pipeline.errors import SettingError
from finops_pipeline.tenants.model import Tenant

_ATTRIBUTE = re.compile(r"shard_([1-9][0-9]*)_of_([1-9][0-9]*)")


@dataclass(frozen=True)
class Shard:
    """A share of the tenants: number `position` of `count`, from 1."""

    position: int = 1
    count: int = 1

    @property
    def prefix(self) -> list[str]:
        """The beginning of the keys of its assets; nothing if it has all tenants."""
        return [self.name] if self.count > 1 else []

    @property
    def name(self) -> str:
        """Its name in `workspace.yaml`."""
        return f"shard_{self.position}_of_{self.count}"

    @property
    def suffix(self) -> str:
        """The end of the names of its sensors; nothing if it has all tenants."""
        return f"_{self.name}" if self.count > 1 else ""

    def of(self, tenants: Iterable[Tenant]) -> list[Tenant]:
        """Return its tenants."""
        return [t for t in tenants if crc32(t.name.encode()) % self.count == self.position - 1]


def parse_shard(attribute: str) -> Shard | None:
    """Return the share that an attribute of `workspace.yaml` names; None if it names none.

    Raises:
        SettingError: there is no such share.
    """
    matched = _ATTRIBUTE.fullmatch(attribute)
    if matched is None:
        return None
    shard = Shard(int(matched[1]), int(matched[2]))
    if shard.position > shard.count:
        raise SettingError(
            f"workspace.yaml names {attribute}",
            f"a share from shard_1_of_{shard.count} to shard_{shard.count}_of_{shard.count}",
            "Correct the attribute of the code location",
        )
    return shard
