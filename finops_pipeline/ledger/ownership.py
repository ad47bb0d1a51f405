"""The owner of a ledger: the tenant and the installation that it belongs to.

Put here: reading, checking and recording the owner. Keep out: files on disk (lake).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from finops_pipeline.errors import ForeignFile
from finops_pipeline.ledger.schema import OWNER, read_shape

_READ_OWNER = "select tenant, installation_id, root, commits from owner"
"""Text, because every reading of a ledger asks it, and compiling an expression costs more."""


@dataclass(frozen=True)
class Identity:
    """A tenant of an installation. An empty `installation_id` matches every installation."""

    tenant: str
    installation_id: str = ""


@dataclass(frozen=True)
class Owner:
    """The stored owner of a ledger.

    `root` is the folder in which the ledger was last written; `commits` counts publications.
    """

    tenant: str
    installation_id: str
    root: str
    commits: int


def load_owner(db: sa.Connection) -> Owner | None:
    """Read the owner; None in a ledger from before owners were stored."""
    return read_owner(db) if OWNER.name in read_shape(db) else None


def read_owner(db: sa.Connection) -> Owner | None:
    """Read the owner from a ledger that has its table."""
    row = db.exec_driver_sql(_READ_OWNER).first()
    return None if row is None else Owner(*row)


def check_owner(owner: Owner, identity: Identity, place: str) -> None:
    """Check that a ledger is the tenant's own.

    Raises:
        ForeignFile: it belongs to another tenant or installation. The message does not name it.
    """
    if owner.tenant != identity.tenant:
        raise ForeignFile(
            f"the ledger {place} belongs to another tenant",
            f"the ledger of tenant {identity.tenant}",
            f"Rebuild the tenant, which sets it aside: finops rebuild {identity.tenant}",
        )
    ids = {owner.installation_id, identity.installation_id} - {""}
    if len(ids) > 1:
        raise ForeignFile(
            f"the ledger {place} belongs to another installation",
            "a ledger that this installation wrote",
            f"Rebuild the tenant, which sets it aside: finops rebuild {identity.tenant}",
        )


def store_owner(db: sa.Connection, owner: Owner) -> None:
    """Store the owner in place of an earlier state."""
    db.execute(sa.delete(OWNER))
    db.execute(
        sa.insert(OWNER),
        {
            "tenant": owner.tenant,
            "installation_id": owner.installation_id,
            "root": owner.root,
            "commits": owner.commits,
        },
    )
