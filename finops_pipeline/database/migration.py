"""Alembic migrations of a database, run in order within the transaction of the caller.

Put here: everything that needs Alembic. Keep out: checking versions (versions.py).

A migration is a file in the folder `versions` with `revision`, `down_revision` and a function
`upgrade(op)`. It receives its operations as an argument and not from `alembic.op`, which exists
once per process: two threads may upgrade the ledgers of two tenants.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


def upgrade(db: sa.Connection, migrations: Path) -> None:
    """Run all migrations that a database lacks, and store the version that it then has.

    Args:
        db: a connection in a transaction, of a database that is not newer than this code.
        migrations: the folder that holds `versions`.
    """
    scripts = ScriptDirectory(str(migrations))
    context = MigrationContext.configure(connection=db)
    operations = Operations(context)
    missing = list(scripts.iterate_revisions("head", context.get_current_revision() or "base"))
    for script in reversed(missing):
        script.module.upgrade(operations)
        context.stamp(scripts, script.revision)


def create_missing(op: Operations, tables: sa.MetaData) -> None:
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
