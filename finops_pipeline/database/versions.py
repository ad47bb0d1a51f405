"""The schema version of a database: stored when it is created, checked whenever it is used.

Put here: reading and checking versions, and deciding whether to create or to upgrade. Keep out:
running migrations (migration.py, which alone imports Alembic) and the tables themselves.

The version is stored where Alembic keeps it, in the table `alembic_version`. A database without
this table is empty or was written before versions were stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from finops_pipeline.database.migration import upgrade
from finops_pipeline.errors import Terminal

VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), primary_key=True),
)
"""The table as Alembic itself creates it."""

_READ_VERSION = "select version_num from alembic_version"
"""Text, because every reading of a ledger asks it, and compiling an expression costs more."""


@dataclass(frozen=True)
class Schema:
    """The tables of one kind of database as this code knows them, and their versions.

    Attributes:
        name: the word for such a database in messages, such as `ledger`.
        tables: the tables of the newest version.
        migrations: the folder of Alembic scripts that upgrade from version to version.
        versions: ids of all versions, the oldest first.
        refusal: the error that a database of a newer version raises.
    """

    name: str
    tables: sa.MetaData
    migrations: Path
    versions: tuple[str, ...]
    refusal: type[Terminal]

    @property
    def newest(self) -> str:
        """The version that this code writes."""
        return self.versions[-1]

    def check_version(self, db: sa.Connection) -> str | None:
        """Read the version of a database without changing it; None if none is stored.

        Raises:
            Terminal: `refusal`, if this code does not know the version.
        """
        return self.read_version(db) if sa.inspect(db).has_table(VERSIONS.name) else None

    def read_version(self, db: sa.Connection) -> str | None:
        """Do the same as `check_version` for a database that has the table of versions.

        Raises:
            Terminal: `refusal`, if this code does not know the version.
        """
        stored = sorted(db.exec_driver_sql(_READ_VERSION).scalars())
        if not stored:
            return None
        if stored[-1] not in self.versions or len(stored) > 1:
            raise self.refusal(
                f"the {self.name} {_place(db.engine.url)} has schema version {', '.join(stored)}",
                f"at most version {self.newest}, the newest that this installation knows",
                "Install the newer finops_pipeline that wrote it; nothing was changed",
            )
        return str(stored[0])

    def prepare(self, db: sa.Connection) -> None:
        """Create or upgrade a database to the newest version, in the caller's transaction.

        Raises:
            Terminal: `refusal`, if the database has a newer version.
        """
        version = self.check_version(db)
        if version == self.newest:
            return
        if version is None and not self._is_in_use(db):
            self.tables.create_all(db)
            VERSIONS.create(db, checkfirst=True)
            db.execute(sa.insert(VERSIONS), {"version_num": self.newest})
            return
        upgrade(db, self.migrations)

    def _is_in_use(self, db: sa.Connection) -> bool:
        return not set(self.tables.tables).isdisjoint(sa.inspect(db).get_table_names())


def _place(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)
