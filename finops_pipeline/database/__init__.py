"""SQL databases: the foundation of the registry and the ledgers.

Put here: opening a database, its schema version, running its migrations. Keep out: tables,
migrations and records of a particular database (tenants, ledger).
"""
