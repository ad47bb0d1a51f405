"""Alembic migrations of a database, run in order within the transaction of the caller.

Put here: everything that needs Alembic. Keep out: checking versions (versions.py).

A migration is a file in the folder `versions` with `revision`, `down_revision` and a function
`upgrade(op)`. It receives its operations as an argument and not from `alembic.op`, which exists
once per process: two threads may upgrade the ledgers of two tenants.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from finops_pipeline.lazy_modules import LazyModule

if TYPE_CHECKING:
    from alembic import operations, script
    from alembic.runtime import migration
else:  # only a new or an older database needs them
    operations = LazyModule("alembic.operations")
    script = LazyModule("alembic.script")
    migration = LazyModule("alembic.runtime.migration")


def upgrade(db: sa.Connection, migrations: Path) -> None:
    """Run all migrations that a database lacks, and store the version that it then has.

    Args:
        db: a connection in a transaction, of a database that is not newer than this code.
        migrations: the folder that holds `versions`.
    """
    scripts = script.ScriptDirectory(str(migrations))
    context = migration.MigrationContext.configure(connection=db)
    op = operations.Operations(context)
    missing = list(scripts.iterate_revisions("head", context.get_current_revision() or "base"))
    for revision in reversed(missing):
        revision.module.upgrade(op)
        context.stamp(scripts, revision.revision)


def create_missing(op: operations.Operations, tables: sa.MetaData) -> None:
    """Create the tables and add the columns that a database lacks; existing ones stay unchanged.

    This is for databases from before versions were stored, which may lack any of them. A column to
    add needs a `server_default` or has to accept null.
    """
    db = op.get_bind()
    for table in tables.sorted_tables:
        inspector = sa.inspect(db)
        if not inspector.has_table(table.name):
            table.create(db)
            continue
        present = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                op.add_column(table.name, column)
