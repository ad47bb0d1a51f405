"""The migrations of the access database. Alembic reads their files; nothing imports them.

Put here: the folder `versions`, one file for each schema version. Keep out: running them
(database/migration.py).
"""
